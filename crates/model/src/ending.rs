//! How a router ends: it gives notice, lets requests finish, and whoever ends it waits as long as both take.

use std::time::Duration;

use crate::seconds::Seconds;

/// How long it goes on taking connections while it says that it is about to end: as long as load balancers take to
/// notice.
pub type Notice = Seconds<600>;

/// How long requests under way may take after that.
pub type Drain = Seconds<3600>;

/// What a process needs to put its things away when all that is over.
const TIDYING: Duration = Duration::from_secs(10);

/// How much longer than a process needs whoever ends it waits before he kills it.
const MARGIN: Duration = Duration::from_secs(5);

/// How a router ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// First this.
    pub notice: Notice,
    /// Then this.
    pub drain: Drain,
}

impl Default for Ending {
    fn default() -> Self {
        Self { notice: Notice::at_most(0), drain: Drain::at_most(30) }
    }
}

impl Ending {
    /// When a process that is told to end gives up what has not ended by then.
    pub const fn limit(self) -> Duration {
        self.notice.duration().saturating_add(self.drain.duration()).saturating_add(TIDYING)
    }

    /// When it is killed.
    pub const fn grace(self) -> Duration {
        self.limit().saturating_add(MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_killed_before_notice_and_drain_are_over() {
        for (notice, drain) in [(0, 0), (0, 30), (600, 3600)] {
            let ending = Ending { notice: Notice::at_most(notice), drain: Drain::at_most(drain) };
            let needed = Duration::from_secs(u64::from(notice) + u64::from(drain));
            assert!(needed < ending.limit() && ending.limit() < ending.grace(), "{ending:?}");
        }
        assert_eq!(Ending::default().grace(), Duration::from_secs(45));
    }
}
