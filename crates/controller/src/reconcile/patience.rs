//! Looking again and again, for a while.

use std::time::{Duration, Instant};

/// How long between looks.
const LOOK: Duration = Duration::from_millis(50);

/// A time until which to look again.
pub(super) struct Patience {
    end: Instant,
}

impl Patience {
    /// Looks for `timeout` from now.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { end: Instant::now() + timeout }
    }

    /// Waits a moment. Whether to look again.
    pub(super) async fn lasts(&self) -> bool {
        let lasts = Instant::now() < self.end;
        tokio::time::sleep(LOOK).await;
        lasts
    }
}
