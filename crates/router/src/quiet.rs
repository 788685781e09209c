//! Warnings that strangers can cause: one now and then tells as much as all.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Millis;

/// How often one is given.
const PAUSE: Millis = 10_000;

/// Keeps warnings of one kind few.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// When the next may be given.
    until: AtomicU64,
}

impl Quiet {
    /// Whether it is the caller who shall warn.
    pub(crate) fn may_warn(&self, now: Millis) -> bool {
        let later = |until| (until <= now).then_some(now + PAUSE);
        self.until.fetch_update(Relaxed, Relaxed, later).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_warns_and_another_after_a_while() {
        let quiet = Quiet::default();
        assert!(quiet.may_warn(5) && !quiet.may_warn(5) && !quiet.may_warn(5 + PAUSE - 1));
        assert!(quiet.may_warn(5 + PAUSE));
    }
}
