//! Time as the hot path needs it: milliseconds since the router started, in one atomic word.

use std::time::{Duration, Instant};

/// Milliseconds since a router started; never 0, so that 0 can mean "never".
pub(crate) type Millis = u64;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time now.
    pub(crate) fn now(&self) -> Millis {
        millis(self.0.elapsed()) + 1
    }
}

/// `duration` in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
