//! Why a request is not passed on by the rules of its service.

use std::time::Duration;

use http::StatusCode;

/// Why a request is not passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is nothing for visitors here.
    NotRouted,
    /// It is to come by HTTPS, at this address.
    Moved(String),
    /// Its client is on no list of those allowed.
    Forbidden,
    /// Its client has sent too many; how long to wait.
    TooMany(Duration),
    /// The service is under maintenance.
    Maintenance {
        /// A page of its own: HTML if it begins with `<`, else plain text.
        page: Option<String>,
        /// When to come again.
        retry_after: Duration,
    },
    /// It brings no name and password that are known.
    Unauthorized,
    /// It looks like an attack; the status that answers it.
    Attack(StatusCode),
    /// Its body is too long.
    TooLarge,
}
