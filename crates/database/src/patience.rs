//! Patience: how often a call is tried again while the database is away.

use std::future::Future;
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

    /// What `attempt` comes to, which is told the deadline: tried again while the database is away.
    pub(crate) async fn retry<T, F>(self, attempt: impl Fn(Instant) -> F) -> Result<T, DatabaseError>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        loop {
            match attempt(self.deadline).await {
                Err(DatabaseError::Away { .. }) if Instant::now() + PAUSE < self.deadline => {
                    sleep(PAUSE).await
                }
                result => return result,
            }
        }
    }
}
