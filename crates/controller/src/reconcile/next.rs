//! When to look at an app again.

use std::time::Duration;

/// When to look at an app again, unless something wakes it earlier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Next {
    delay: Option<Duration>,
    follows_routes: bool,
}

impl Next {
    /// Nothing is left to do.
    pub(super) const SETTLED: Self = Self { delay: None, follows_routes: false };

    /// At once.
    pub(super) const NOW: Self = Self { delay: Some(Duration::ZERO), follows_routes: false };

    /// After `delay`.
    pub(super) fn after(delay: Duration) -> Self {
        Self { delay: Some(delay), follows_routes: false }
    }

    /// When routers acknowledge something, or after `delay`.
    pub(super) fn after_routes(delay: Duration) -> Self {
        Self { delay: Some(delay), follows_routes: true }
    }

    /// The earlier of both.
    pub(super) fn or(self, other: Self) -> Self {
        let delay = match (self.delay, other.delay) {
            (Some(mine), Some(theirs)) => Some(mine.min(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
        Self { delay, follows_routes: self.follows_routes || other.follows_routes }
    }

    pub(super) fn is_settled(self) -> bool {
        self.delay.is_none()
    }

    pub(super) fn delay(self) -> Duration {
        self.delay.unwrap_or_default()
    }

    pub(super) fn follows_routes(self) -> bool {
        self.follows_routes
    }
}
