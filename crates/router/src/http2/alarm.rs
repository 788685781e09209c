//! A time limit that costs nothing until something has to be waited for.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::Sleep;

/// A time limit, counted from the first time that it is asked.
pub(super) struct Alarm {
    longest: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// After `longest`.
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, sleep: None }
    }

    /// Whether it is time. To be asked when there is nothing else to do.
    pub(super) fn is_due(&mut self, context: &mut Context<'_>) -> bool {
        let begin = || Box::pin(tokio::time::sleep(self.longest));
        self.sleep.get_or_insert_with(begin).as_mut().poll(context).is_ready()
    }
}
