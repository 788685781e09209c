//! Gives up, from time to time, what processes that died were sending.

use super::{bucket::Bucket, parts::sweep};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// How often.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How long an object may be on its way. Whoever sends one for longer is taken for dead.
const AGE: Duration = Duration::from_secs(48 * 60 * 60);

/// Sweeps as long as it is there.
#[derive(Debug)]
pub(super) struct Sweeper(JoinHandle<()>);

impl Sweeper {
    pub(super) fn start(bucket: Arc<Bucket>) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            loop {
                ticks.tick().await;
                // What could not be swept now, the next time finds.
                let _ = sweep(&bucket, AGE).await;
            }
        }))
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
