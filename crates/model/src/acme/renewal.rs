//! When a certificate is renewed: as its authority suggests, if it does. Source: RFC 9773.

use time::{Duration, OffsetDateTime};

use super::Validity;
use super::pace::spread;

/// How soon an authority is asked again at the soonest, whatever it says, and how soon at the latest. Source: RFC 9773
/// section 4.3.2, which leaves the limits to who asks.
const ASK_AGAIN: [Duration; 2] = [Duration::hours(1), Duration::days(1)];

/// When an authority would have a certificate renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    start: OffsetDateTime,
    end: OffsetDateTime,
}

/// What is known of when a certificate is to be renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// What its authority suggested last, if anything.
    pub suggestion: Option<Suggestion>,
    /// When it is asked again; none: it was never asked.
    pub ask_at: Option<OffsetDateTime>,
}

impl Suggestion {
    /// From `start` to `end`; none if that is no time.
    pub fn new(start: OffsetDateTime, end: OffsetDateTime) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// From when.
    pub fn start(self) -> OffsetDateTime {
        self.start
    }

    /// Until when.
    pub fn end(self) -> OffsetDateTime {
        self.end
    }

    /// The moment for `host` within it: any, but always the same, whoever leads.
    fn moment(self, host: &str) -> OffsetDateTime {
        self.start + (self.end - self.start) * spread(host, 0)
    }
}

impl Renewal {
    /// When the certificate of `host` is renewed. No suggestion puts that off until it is an operator's concern.
    pub fn due(&self, host: &str, validity: Validity) -> OffsetDateTime {
        match self.suggestion {
            Some(suggestion) => suggestion.moment(host).min(validity.warning()),
            None => validity.renewal(host),
        }
    }

    /// Whether its authority is to be asked `now`.
    pub fn is_unknown(&self, now: OffsetDateTime) -> bool {
        self.ask_at.is_none_or(|moment| moment <= now)
    }
}

/// When an authority that wants to be asked again after `pause` is.
pub fn ask_again(now: OffsetDateTime, pause: std::time::Duration) -> OffsetDateTime {
    let [soonest, latest] = ASK_AGAIN;
    now + Duration::try_from(pause).unwrap_or(latest).clamp(soonest, latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(day)
    }

    /// The day on which a certificate for 90 days is renewed for which the authority suggests this.
    fn check(window: Option<(i64, i64)>, expected: std::ops::RangeInclusive<i64>) {
        let validity = Validity { not_before: day(0), not_after: day(90) };
        let suggestion = window.and_then(|(start, end)| Suggestion::new(day(start), day(end)));
        let renewal = Renewal { suggestion, ask_at: None };
        for host in ["example.com", "www.example.com", "a.b", "*.example.org"] {
            let due = (renewal.due(host, validity) - day(0)).whole_hours().div_euclid(24);
            assert!(expected.contains(&due), "{host} by {window:?} on day {due}");
        }
    }

    #[test]
    fn a_certificate_is_renewed_within_the_time_that_its_authority_suggests() {
        check(None, 57..=60);
        check(Some((40, 42)), 40..=41);
        check(Some((-3, -1)), -3..=-2);
        check(Some((70, 300)), 70..=76);
        check(Some((200, 300)), 76..=76);
        check(Some((40, 40)), 57..=60);
        check(Some((42, 40)), 57..=60);
    }

    #[test]
    fn names_are_spread_over_the_time_that_is_suggested() {
        let suggestion = Suggestion::new(day(0), day(10)).unwrap();
        let moments = (0..1000).map(|number| suggestion.moment(&format!("app-{number}.example")));
        let early = moments.filter(|moment| *moment < day(5)).count();
        assert!((400..600).contains(&early), "{early} of 1000 are in the first half");
    }

    #[test]
    fn authorities_are_asked_again_neither_all_the_time_nor_too_seldom() {
        let check = |seconds, hours| {
            let found = ask_again(day(0), std::time::Duration::from_secs(seconds)) - day(0);
            assert_eq!(found, Duration::hours(hours), "{seconds}");
        };
        check(0, 1);
        check(6 * 3600, 6);
        check(30 * 24 * 3600, 24);
        check(u64::MAX, 24);
    }
}
