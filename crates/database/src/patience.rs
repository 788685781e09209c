//! Patience: how often a call is tried again while the database is away.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::DatabaseError;

/// How long a call keeps trying before it says that the database is away.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long to wait before a call is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// The time that one call has.
pub(crate) struct Patience {
    /// Until when to wait for the database.
    pub(crate) deadline: Instant,
}

impl Patience {
    /// For a call that begins now.
    pub(crate) fn new() -> Self {
        Self { deadline: Instant::now() + PATIENCE }
    }

    /// What the call returns after an attempt with this `result`; none, after a pause, if it is to be tried again.
    pub(crate) async fn judge<T>(
        &self,
        result: Result<T, DatabaseError>,
    ) -> Option<Result<T, DatabaseError>> {
        match result {
            Err(DatabaseError::Away { .. }) if Instant::now() + PAUSE < self.deadline => {
                sleep(PAUSE).await;
                None
            }
            result => Some(result),
        }
    }
}
