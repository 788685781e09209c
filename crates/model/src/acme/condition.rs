//! How the certificate of one name stands, for whoever waits for it.

use time::OffsetDateTime;

use super::Progress;

/// How the certificate of one name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// There is one, and it is good.
    Issued,
    /// There is none yet: an order is under way, or waits for its turn.
    Waiting,
    /// There is none, as the last order failed.
    Failed,
}

impl Condition {
    /// How a certificate stands at `now` of which this is known.
    pub fn of(progress: Option<&Progress>, now: OffsetDateTime) -> Self {
        let held = progress.and_then(|progress| progress.certificate.as_ref());
        match progress {
            _ if held.is_some_and(|held| !held.validity.is_over(now)) => Self::Issued,
            Some(progress) if progress.failures > 0 => Self::Failed,
            _ => Self::Waiting,
        }
    }

    /// As users are told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::{Held, Renewal, Validity};

    #[test]
    fn a_certificate_that_is_good_counts_more_than_what_failed_since() {
        let moment = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        let held = |end| {
            let validity = Validity { not_before: moment(0), not_after: moment(end) };
            Held { directory: "https://ca".to_owned(), validity, renewal: Renewal::default() }
        };
        let check = |end: Option<i64>, failures, expected| {
            let progress = Progress {
                certificate: end.map(held),
                order: None,
                failures,
                retry_at: moment(0),
                idle_since: None,
            };
            assert_eq!(Condition::of(Some(&progress), moment(100)), expected, "{end:?} {failures}");
        };
        check(Some(200), 3, Condition::Issued);
        check(Some(50), 3, Condition::Failed);
        check(Some(50), 0, Condition::Waiting);
        check(None, 1, Condition::Failed);
        assert_eq!(Condition::of(None, moment(100)), Condition::Waiting);
    }
}
