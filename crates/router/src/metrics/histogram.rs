//! How often something took how long, in buckets of which each reaches twice as far as the one before.

use std::time::Duration;

use super::Counter;

/// Buckets with an end: up to 1, 2, 4 … milliseconds.
const BOUNDS: usize = 15;

/// How often something took how long.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// The last one has no end.
    buckets: [Counter; BOUNDS + 1],
    microseconds: Counter,
}

/// What one or several histograms hold at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Distribution {
    buckets: [u64; BOUNDS + 1],
    microseconds: u64,
}

impl Histogram {
    /// Counts something that took `duration`.
    pub(super) fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(microseconds)].add();
        self.microseconds.increase(microseconds);
    }
}

/// The first bucket that reaches as far as `microseconds`.
fn bucket(microseconds: u64) -> usize {
    let whole_milliseconds = microseconds.saturating_sub(1) / 1000;
    let doublings = u64::BITS - whole_milliseconds.leading_zeros();
    usize::try_from(doublings).map_or(BOUNDS, |bucket| bucket.min(BOUNDS))
}

impl Distribution {
    /// Adds what `histogram` holds.
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.value();
        }
        self.microseconds += histogram.microseconds.value();
    }

    /// For each bucket its end in seconds, none for the last, and how many took no longer than that.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let mut sum = 0;
        self.buckets.iter().enumerate().map(move |(place, count)| {
            sum += count;
            let end = (place < BOUNDS).then(|| (1_u64 << place) as f64 / 1000.0);
            (end, sum)
        })
    }

    /// All times together.
    pub(super) fn seconds(&self) -> f64 {
        self.microseconds as f64 / 1_000_000.0
    }

    /// How many were counted.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(microseconds: u64, expected: Option<f64>) {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_micros(microseconds));
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        let (end, _) = distribution.cumulated().find(|(_, count)| *count == 1).unwrap();
        assert_eq!(end, expected, "{microseconds} µs");
        assert_eq!(distribution.count(), 1);
    }

    #[test]
    fn a_time_counts_in_the_first_bucket_that_reaches_it() {
        check(0, Some(0.001));
        check(1_000, Some(0.001));
        check(1_001, Some(0.002));
        check(2_000, Some(0.002));
        check(2_001, Some(0.004));
        check(16_384_000, Some(16.384));
        check(16_384_001, None);
        check(u64::MAX, None);
    }

    #[test]
    fn times_add_up() {
        let histogram = Histogram::default();
        for milliseconds in [1, 2, 3, 3, 5000] {
            histogram.observe(Duration::from_millis(milliseconds));
        }
        let mut distribution = Distribution::default();
        distribution.add(&histogram);
        let counts: Vec<_> = distribution.cumulated().map(|(_, count)| count).take(4).collect();
        assert_eq!((counts, distribution.count()), (vec![1, 2, 4, 4], 5));
        assert!((distribution.seconds() - 5.009).abs() < 1e-9);
    }
}
