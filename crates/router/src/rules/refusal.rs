//! Why a request is not passed on by the rules of its service, and what its client is told.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::page::Failure;

/// Why a request is not passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is nothing for visitors here.
    #[error("no app answers at this address; check its spelling and the app's domains")]
    NotRouted,
    /// It is to come by HTTPS, at this address.
    #[error("this address is for HTTPS only")]
    Moved(String),
    /// Its client is on no list of those allowed.
    #[error(
        "your address is not among those that are allowed here; if the app is yours, see `deis routing:list`"
    )]
    Forbidden,
    /// Its client has sent too many; how long to wait.
    #[error("you have sent too many requests; try again later")]
    TooMany(Duration),
    /// The service is under maintenance.
    #[error("this app is under maintenance; try again later")]
    Maintenance {
        /// A page of its own: HTML if it begins with `<`, else plain text.
        page: Option<String>,
        /// When to come again.
        retry_after: Duration,
    },
    /// It brings no name and password that are known.
    #[error("a name and a password are needed here, and these are none that are known")]
    Unauthorized,
    /// It looks like an attack; the status that answers it.
    #[error("the request looks like an attack and was stopped; if it is none, tell the app's owner")]
    Attack(StatusCode),
    /// Its body is too long.
    #[error("the request's body is larger than this app allows")]
    TooLarge,
}

impl Refusal {
    /// The status for it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotRouted => StatusCode::NOT_FOUND,
            Self::Moved(_) => StatusCode::MOVED_PERMANENTLY,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Maintenance { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Attack(status) => *status,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    /// The header that belongs to the answer.
    pub(crate) fn field(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            // The target came in a request's head, and so fits into another.
            Self::Moved(address) => Some((LOCATION, HeaderValue::from_str(address).ok()?)),
            Self::TooMany(wait) | Self::Maintenance { retry_after: wait, .. } => {
                Some((RETRY_AFTER, whole_seconds(*wait).into()))
            }
            Self::Unauthorized => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"app\", charset=\"UTF-8\"")))
            }
            _ => None,
        }
    }

    /// The page that the app has for it, and its type.
    pub(crate) fn own_page(&self) -> Option<(&'static str, &str)> {
        let Self::Maintenance { page: Some(page), .. } = self else { return None };
        let is_html = page.trim_start().starts_with('<');
        let content_type = if is_html { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
        Some((content_type, page))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotRouted => Self::UnknownHost,
            Refusal::TooLarge => Self::TooLarge,
            refusal => Self::Refused(refusal),
        }
    }
}

/// At least one, so that nobody comes again at once.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(refusal: Refusal, status: u16, field: Option<(&str, &str)>) {
        assert_eq!(refusal.status().as_u16(), status);
        let found = refusal.field();
        let found = found.as_ref().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        assert_eq!(found, field);
    }

    #[test]
    fn clients_are_told_what_to_do() {
        check(Refusal::Moved("https://a.test/".to_owned()), 301, Some(("location", "https://a.test/")));
        check(Refusal::TooMany(Duration::from_millis(1001)), 429, Some(("retry-after", "2")));
        check(Refusal::TooMany(Duration::ZERO), 429, Some(("retry-after", "1")));
        let realm = "Basic realm=\"app\", charset=\"UTF-8\"";
        check(Refusal::Unauthorized, 401, Some(("www-authenticate", realm)));
        check(Refusal::Forbidden, 403, None);
        check(Refusal::Attack(StatusCode::IM_A_TEAPOT), 418, None);
    }

    #[test]
    fn a_page_of_the_apps_own_is_html_or_text() {
        let page = |text: &str| {
            let retry_after = Duration::from_secs(5);
            Refusal::Maintenance { page: Some(text.to_owned()), retry_after }
        };
        assert_eq!(page("<h1>Soon").own_page().unwrap().0, "text/html; charset=utf-8");
        assert_eq!(page("Soon").own_page().unwrap(), ("text/plain; charset=utf-8", "Soon"));
        assert_eq!(Refusal::Forbidden.own_page(), None);
    }
}
