//! Tasks that a panic does not end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tracing::error;

/// How long after a panic its task begins again.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs `task` to its end. One that panics begins again a moment later: the next attempt finds another world.
pub(crate) async fn steadily<F: Future<Output = ()>>(name: &str, mut task: impl FnMut() -> F) {
    while let Err(panic) = AssertUnwindSafe(task()).catch_unwind().await {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let cause = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
        error!(task = name, cause, "a task broke off; it begins again");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_again() {
        let mut attempts = 0;
        steadily("test", || {
            attempts += 1;
            let breaks_off = attempts < 3;
            async move { assert!(!breaks_off, "this is what the test is about") }
        })
        .await;
        assert_eq!(attempts, 3);
    }
}
