//! How long a certificate is good, and what follows from it.

use time::{Duration, OffsetDateTime};

use super::pace::spread;

/// How long before its end a certificate that could not be renewed is an operator's concern, at most.
const WARNING: Duration = Duration::days(14);

/// How long after its issue no other certificate for a name is ordered, at most.
const REST: Duration = Duration::days(1);

/// The time in which a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub not_before: OffsetDateTime,
    /// Until when.
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// When the certificate of `host` is renewed: with a third of its life left, or up to a tenth of that earlier,
    /// so that names which were added together are not all renewed in the same hour.
    pub fn renewal(self, host: &str) -> OffsetDateTime {
        let third = self.life() / 3;
        self.not_after - third - third * (spread(host, 0) / 10.0)
    }

    /// From when on a certificate that is still not renewed is an operator's concern: two weeks before its end, or with
    /// a sixth of a short life left.
    pub fn warning(self) -> OffsetDateTime {
        self.not_after - WARNING.min(self.life() / 6)
    }

    /// How long after its issue no other is ordered, whatever the clocks of authority and platform say: they may differ.
    pub fn rest(self) -> Duration {
        REST.min(self.life() / 6)
    }

    /// Whether it is over.
    pub fn is_over(self, now: OffsetDateTime) -> bool {
        now >= self.not_after
    }

    fn life(self) -> Duration {
        (self.not_after - self.not_before).max(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(days: i64, renewal: std::ops::RangeInclusive<i64>, warning: i64) {
        let not_before = OffsetDateTime::UNIX_EPOCH;
        let validity = Validity { not_before, not_after: not_before + Duration::days(days) };
        for host in ["example.com", "www.example.com", "a.b", "*.example.org"] {
            let day = (validity.renewal(host) - not_before).whole_hours() / 24;
            assert!(renewal.contains(&day), "{host} of {days} days is renewed on day {day}");
        }
        assert_eq!((validity.warning() - not_before).whole_days(), warning);
        assert!(not_before + validity.rest() <= validity.renewal("example.com"));
    }

    #[test]
    fn a_third_of_its_life_is_left_when_a_certificate_is_renewed() {
        check(90, 57..=60, 76);
        check(45, 28..=30, 37);
        check(6, 3..=4, 5);
        check(0, 0..=0, 0);
    }
}
