//! How an endpoint has answered of late, and how long it has been there: what balancing goes by beside its load.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::Millis;

/// A whole, in the fixed-point numbers here.
pub(crate) const WHOLE: u64 = 1024;

/// Failures up to this share count for nothing: all endpoints of an app have some.
const TOLERATED: u64 = WHOLE / 4;

/// How much more a request costs where all fail than where none does.
const PENALTY: u64 = 16;

/// Each answer moves the share by this part of the way.
const PART: i64 = 8;

/// In this time half is forgotten, so that one who gets no requests any more is tried again.
const HALF_LIFE: Millis = 5_000;

/// What a new endpoint's share begins with.
const FIRST_WEIGHT: u64 = WHOLE / 10;

const SHARE_BITS: u32 = 16;

/// The share of failures among an endpoint's answers: the later the heavier.
#[derive(Debug, Default)]
pub(crate) struct Failures(AtomicU64);

impl Failures {
    /// Counts one answer in.
    pub(crate) fn note(&self, failed: bool, now: Millis) {
        let share = i64::try_from(self.share(now)).expect("at most a whole");
        let goal = if failed { i64::try_from(WHOLE).expect("small") } else { 0 };
        // Where all is well, nothing is written: cores would fight for the line.
        if share == goal && !failed {
            return;
        }
        let step = goal - share;
        // Rounded away from zero, so that the share does reach its goal.
        let next = share + (step + step.signum() * (PART - 1)) / PART;
        let next = u64::try_from(next).expect("between a share and a goal");
        self.0.store(now << SHARE_BITS | next, Relaxed);
    }

    /// By how much requests there cost more, as parts of [`WHOLE`]: a whole where nothing is wrong.
    pub(crate) fn factor(&self, now: Millis) -> u64 {
        WHOLE + self.share(now).saturating_sub(TOLERATED) * PENALTY
    }

    fn share(&self, now: Millis) -> u64 {
        match self.0.load(Relaxed) {
            0 => 0,
            held => {
                let (noted, share) = (held >> SHARE_BITS, held & ((1 << SHARE_BITS) - 1));
                share >> (now.saturating_sub(noted) / HALF_LIFE).min(63)
            }
        }
    }
}

/// Since when an endpoint takes requests; 0: since ever.
#[derive(Debug, Default)]
pub(crate) struct Ramp(AtomicU64);

impl Ramp {
    /// Begins now: whoever is behind it is cold.
    pub(crate) fn begin(&self, now: Millis) {
        self.0.store(now, Relaxed);
    }

    /// How much of its share it gets, as parts of [`WHOLE`], when that grows for as long as `slow_start`.
    pub(crate) fn weight(&self, now: Millis, slow_start: Millis) -> u64 {
        let since = self.0.load(Relaxed);
        let age = now.saturating_sub(since);
        if since == 0 || age >= slow_start {
            return WHOLE;
        }
        FIRST_WEIGHT + (WHOLE - FIRST_WEIGHT) * age / slow_start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(answers: &[(bool, usize)]) -> Failures {
        let failures = Failures::default();
        for (failed, count) in answers {
            (0..*count).for_each(|_| failures.note(*failed, 1));
        }
        failures
    }

    #[test]
    fn failures_cost_when_they_are_more_than_a_few() {
        assert_eq!(noted(&[(false, 100)]).factor(1), WHOLE);
        assert_eq!(noted(&[(false, 100), (true, 2)]).factor(1), WHOLE);
        assert!(noted(&[(true, 4)]).factor(1) > 2 * WHOLE);
        assert!(noted(&[(true, 100)]).factor(1) > 12 * WHOLE);
        assert_eq!(noted(&[(true, 100), (false, 100)]).0.load(Relaxed) & 0xffff, 0);
    }

    #[test]
    fn failures_are_forgotten_in_time() {
        let failures = noted(&[(true, 100)]);
        assert_eq!(failures.factor(1 + 2 * HALF_LIFE), WHOLE);
        assert_eq!(failures.share(Millis::MAX >> SHARE_BITS), 0);
    }

    #[test]
    fn a_weight_grows_from_a_tenth_to_the_whole() {
        let ramp = Ramp::default();
        assert_eq!(ramp.weight(5, 1_000), WHOLE);
        ramp.begin(1_000);
        assert_eq!(ramp.weight(1_000, 1_000), FIRST_WEIGHT);
        assert!((500..600).contains(&ramp.weight(1_500, 1_000)));
        assert_eq!(ramp.weight(2_000, 1_000), WHOLE);
        assert_eq!(ramp.weight(1_000, 0), WHOLE);
    }
}
