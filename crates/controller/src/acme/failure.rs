//! Why an order did not come to its end.

use std::error::Error as _;

use deis_database::DatabaseError;
use instant_acme::{Error, Problem};
use time::{Duration, OffsetDateTime};

/// What problems are called after. Source: RFC 8555 section 6.7.
const PROBLEM: &str = "urn:ietf:params:acme:error:";

/// How long a name rests that was ordered too often, if the authority does not say.
const LIMITED: Duration = Duration::hours(1);

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 500;

/// Why an order did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It is about the name: the order is given up.
    #[error("{reason}")]
    Name {
        /// For the app's owner.
        reason: String,
        /// The authority wants no other order before.
        retry_at: Option<OffsetDateTime>,
    },
    /// The authority, or the mesh, does not do its part at the moment: the order goes on later.
    #[error("{reason}")]
    Later {
        /// For operators.
        reason: String,
        /// The authority wants to be left alone until then.
        retry_at: Option<OffsetDateTime>,
    },
    /// One of many calls was refused for what happens now and then: it goes on at once.
    #[error("the certificate authority refused a call that came out of order")]
    Again,
    /// The authority does not know the platform's account any more.
    #[error("the certificate authority does not know the platform's account any more")]
    Account,
    /// The database is away, or another controller leads.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another controller leads, or the name needs no certificate any more.
    #[error("the order was stopped")]
    Stopped,
}

impl Failure {
    /// One that is about the name.
    pub(super) fn name(reason: impl ToString) -> Self {
        Self::Name { reason: shorten(&reason.to_string()), retry_at: None }
    }

    /// One that is nobody's fault who orders.
    pub(super) fn later(reason: impl ToString) -> Self {
        Self::Later { reason: shorten(&reason.to_string()), retry_at: None }
    }

    /// What `error` means to an order, of an authority that said when to come again.
    pub(super) fn of(error: Error, wait: Option<OffsetDateTime>, now: OffsetDateTime) -> Self {
        let Error::Api(problem) = error else {
            return Self::Later { reason: shorten(&chain(&error)), retry_at: wait };
        };
        let reason = shorten(&explain(&problem));
        match kind(&problem) {
            "badNonce" => Self::Again,
            "accountDoesNotExist" => Self::Account,
            "rateLimited" => Self::Name { reason, retry_at: Some(wait.unwrap_or(now + LIMITED)) },
            "serverInternal" => Self::Later { reason, retry_at: wait },
            _ if problem.status.is_some_and(|status| status >= 500) => Self::Later { reason, retry_at: wait },
            _ => Self::Name { reason, retry_at: wait },
        }
    }

    /// The same where no name is at fault.
    pub(super) fn of_no_name(self) -> Self {
        match self {
            Self::Name { reason, retry_at } => Self::Later { reason, retry_at },
            other => other,
        }
    }
}

/// The authority's words, with those about each name.
pub(super) fn explain(problem: &Problem) -> String {
    let own = problem.detail.as_deref().unwrap_or("the certificate authority gave no reason");
    let parts = problem.subproblems.iter().filter_map(|part| part.detail.as_deref());
    std::iter::once(own).chain(parts.filter(|part| *part != own)).collect::<Vec<_>>().join("; ")
}

fn kind(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|kind| kind.strip_prefix(PROBLEM)).unwrap_or_default()
}

/// `error` and what it came from: the outermost of a failed call says little.
fn chain(error: &Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        source = inner.source();
    }
    words
}

/// One line of a length that suits a log and a table: others wrote it.
fn shorten(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MAX_REASON).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, status: u16) -> Error {
        let text = format!(
            r#"{{"type": "{PROBLEM}{kind}", "status": {status}, "detail": "no\nway", "subproblems": [{{"detail": "a.b"}}]}}"#
        );
        Error::Api(serde_json::from_str(&text).unwrap())
    }

    fn check(error: Error, wait: Option<OffsetDateTime>, expected: &str) {
        let now = OffsetDateTime::UNIX_EPOCH;
        let found = match Failure::of(error, wait, now) {
            Failure::Name { reason, retry_at } => {
                format!("name {reason} {:?}", retry_at.map(|end| (end - now).whole_minutes()))
            }
            Failure::Later { reason, retry_at } => {
                format!("later {reason} {:?}", retry_at.map(|end| (end - now).whole_minutes()))
            }
            other => format!("{other:?}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_failure_is_about_the_name_or_about_the_authority() {
        let soon = Some(OffsetDateTime::UNIX_EPOCH + Duration::minutes(5));
        check(problem("unauthorized", 403), None, "name no way; a.b None");
        check(problem("rejectedIdentifier", 400), None, "name no way; a.b None");
        check(problem("rateLimited", 429), None, "name no way; a.b Some(60)");
        check(problem("rateLimited", 429), soon, "name no way; a.b Some(5)");
        check(problem("serverInternal", 500), soon, "later no way; a.b Some(5)");
        check(problem("unknown", 503), None, "later no way; a.b None");
        check(problem("badNonce", 400), None, "Again");
        check(problem("accountDoesNotExist", 400), None, "Account");
        check(Error::Str("no nonce"), None, "later missing data: no nonce None");
    }
}
