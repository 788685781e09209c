//! How much may be tried again: retries help while little fails, and multiply the load when all does.
//!
//! A service's requests each put in a fifth of what a retry takes out, and time puts in a few retries a second, so that
//! a service with little traffic has some too. A full budget is not written to, so that cores do not fight for it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::clock::Millis;

/// What a retry takes out; a request puts in 1.
const RETRY: u32 = 5;

/// What a second puts in: ten retries.
const PER_SECOND: u64 = 10 * RETRY as u64;

/// What it holds at most: five hundred retries, as all that is under way to a host may be lost at the same time.
const FULL: u32 = 500 * RETRY;

/// What one service may still try again.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicU32,
    /// When time last put something in.
    filled: AtomicU64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: AtomicU32::new(FULL), filled: AtomicU64::new(0) }
    }
}

impl Budget {
    /// A request begins.
    pub(crate) fn earn(&self) {
        if self.left.load(Relaxed) < FULL {
            self.left.fetch_add(1, Relaxed);
        }
    }

    /// Whether something may be tried again now.
    pub(crate) fn spend(&self, now: Millis) -> bool {
        self.fill(now);
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(RETRY)).is_ok()
    }

    fn fill(&self, now: Millis) {
        let filled = self.filled.load(Relaxed);
        let earned = now.saturating_sub(filled).saturating_mul(PER_SECOND) / 1000;
        // Whoever is first to note the time puts in what it brought.
        if earned > 0 && self.filled.compare_exchange(filled, now, Relaxed, Relaxed).is_ok() {
            let earned = u32::try_from(earned).unwrap_or(FULL);
            let fill = |left: u32| Some(left.saturating_add(earned).min(FULL));
            // It always applies.
            let _ = self.left.fetch_update(Relaxed, Relaxed, fill);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &Budget, now: Millis) -> usize {
        std::iter::from_fn(|| budget.spend(now).then_some(())).take(10_000).count()
    }

    #[test]
    fn retries_are_a_share_of_requests_in_the_long_run() {
        let budget = Budget::default();
        assert_eq!(spent(&budget, 1), 500);
        (0..1000).for_each(|_| budget.earn());
        assert_eq!(spent(&budget, 1), 200);
    }

    #[test]
    fn time_brings_some_and_never_more_than_it_holds() {
        let budget = Budget::default();
        spent(&budget, 1);
        assert_eq!(spent(&budget, 1_001), 10);
        assert_eq!(spent(&budget, Millis::MAX), 500);
        (0..10_000).for_each(|_| budget.earn());
        assert!(spent(&budget, Millis::MAX) <= 500);
    }
}
