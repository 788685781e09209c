//! Time as the hot path needs it: milliseconds since the router started, in one atomic word.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds since a router started; never 0, so that 0 can mean "never".
pub(crate) type Millis = u64;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Timespec);

impl Clock {
    /// A clock that starts now.
    pub(crate) fn start() -> Self {
        Self(present())
    }

    /// The time now.
    pub(crate) fn now(&self) -> Millis {
        let (now, start) = (present(), self.0);
        let millis = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1_000_000;
        Millis::try_from(millis).unwrap_or(0) + 1
    }
}

/// The time of the system's last tick, some milliseconds ago at most. Requests ask for it often, and what it is for need
/// not be more exact.
fn present() -> Timespec {
    clock_gettime(ClockId::MonotonicCoarse)
}

/// `duration` in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by_as_it_does_elsewhere() {
        let (clock, started) = (Clock::start(), std::time::Instant::now());
        assert!(clock.now() >= 1);
        std::thread::sleep(Duration::from_millis(60));
        let now = clock.now();
        // The tick before may be a while ago, and whoever asks may be held up.
        assert!(now > 30 && now <= millis(started.elapsed()) + 31, "{now}");
    }
}
