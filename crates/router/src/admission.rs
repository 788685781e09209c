//! What is settled about a request before any service is asked.

use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Uri, Version};

use crate::circle;
use crate::downgrade;
use crate::host::Host;
use crate::page::Failure;
use crate::proxy::Client;
use crate::shared::Shared;

/// Where controllers answer only other parts of the platform, which call them without a router in between.
const PRIVATE: [&str; 2] = ["/internal", "/v1/hooks"];

/// Why a request is not passed on.
pub(crate) enum Refusal {
    /// It asks the router itself whether it lives.
    Healthy,
    /// It asks whoever gets it what may be asked, and may not be passed on.
    Last,
    /// A certificate authority asks whether the host is the platform's; this is the answer.
    Challenged(String),
    /// See there.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

/// Lets a request with this `head` in, and says which host it is for.
pub(crate) fn admit(shared: &Shared, client: &Client, head: &mut Parts) -> Result<Host, Refusal> {
    check_length(head, shared.config.limits.head_bytes)?;
    if head.method == Method::TRACE {
        return Err(Failure::NotTraced.into());
    }
    circle::check(&head.headers)?;
    if !circle::count_down(head) {
        return Err(Refusal::Last);
    }
    if head.version == Version::HTTP_2 {
        downgrade::check(&mut head.headers, &head.uri)?;
    }
    take_authority(head)?;
    let host = Host::parse(head.headers.get(HOST).map_or(b"", HeaderValue::as_bytes))?;
    let (path, table) = (head.uri.path(), shared.table.load());
    if let Some(answer) = table.challenges.answer(host.as_str(), path) {
        return Err(Refusal::Challenged(answer.to_owned()));
    }
    if client.secured.as_ref().is_some_and(|secured| secured.is_misdirected(&table, &host)) {
        return Err(Failure::Misdirected.into());
    }
    if is_private(path) && table.is_platform(host.as_str()) {
        return Err(Failure::Private.into());
    }
    Ok(host)
}

/// Whether a head is no longer than `longest`; if it is for its target alone, that is at fault. The library takes somewhat
/// more than that, and answers what is longer still itself.
fn check_length(head: &Parts, longest: usize) -> Result<(), Failure> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    // With what stands between and around them.
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    match target + fields {
        all if all <= longest => Ok(()),
        _ if target > fields => Err(Failure::LongTarget),
        _ => Err(Failure::LongHead),
    }
}

/// Whether controllers keep `path` to the platform. As they read it: they decode no escapes and join no slashes.
fn is_private(path: &str) -> bool {
    let is_below =
        |top: &&str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    PRIVATE.iter().any(is_below)
}

/// Makes `GET http://host/path` what it means: `GET /path` with that `Host`. Source: RFC 9112 section 3.2.2.
fn take_authority(head: &mut Parts) -> Result<(), Failure> {
    let is_for_all = head.uri.path() == "*" && head.method != Method::OPTIONS;
    if head.method == Method::CONNECT || is_for_all {
        return Err(Failure::NotForwarded);
    }
    let Some(authority) = head.uri.authority() else { return Ok(()) };
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::NotForwarded)?;
    let path = head.uri.path_and_query().cloned().ok_or(Failure::NotForwarded)?;
    head.headers.insert(HOST, host);
    head.uri = Uri::from(path);
    Ok(())
}
