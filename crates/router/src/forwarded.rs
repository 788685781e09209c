//! What an app learns of the client: `X-Forwarded-*` and `X-Request-Start`.
//!
//! Source: the original's router; apps written for it find the client's address alone in `X-Forwarded-For`.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::Cidr;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_FORWARDED_SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
static X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// The peer of a connection, as far as apps learn of it.
pub(crate) struct Peer {
    /// Whether what it says of the client is believed.
    pub(crate) is_trusted: bool,
    /// Whether it speaks TLS with this router.
    pub(crate) is_secure: bool,
    /// Where it is.
    pub(crate) address: HeaderValue,
}

impl Peer {
    /// The peer at `address`, believed if in a range of `trusted`.
    pub(crate) fn new(address: IpAddr, trusted: &[Cidr]) -> Self {
        let is_trusted = trusted.iter().any(|range| range.contains(address));
        Self { is_trusted, is_secure: false, address: address_value(address) }
    }

    /// The same, over TLS if so.
    pub(crate) fn secured(self, is_secure: bool) -> Self {
        Self { is_secure, ..self }
    }
}

/// Tells the app behind `headers` who the client is, and nothing that an untrusted peer made up.
pub(crate) fn apply(headers: &mut HeaderMap, peer: &Peer, trusted: &[Cidr]) {
    strip_lookalikes(headers);
    let values = |name| headers.get_all(name).iter().filter_map(|value: &HeaderValue| value.to_str().ok());
    let account = Account::of(peer, values(&X_FORWARDED_FOR), values(&X_FORWARDED_PROTO), trusted);
    let client = account.client.map_or_else(|| peer.address.clone(), address_value);
    let (scheme, port, ssl) = account.connection();
    headers.insert(&X_FORWARDED_FOR, client);
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(&X_FORWARDED_PORT, HeaderValue::from_static(port));
    headers.insert(&X_FORWARDED_SSL, HeaderValue::from_static(ssl));
    if !peer.is_trusted {
        headers.remove(FORWARDED);
    }
    if !peer.is_trusted || !headers.contains_key(&X_REQUEST_START) {
        headers.insert(&X_REQUEST_START, request_start());
    }
}

/// Who a request comes from in truth, and how.
pub(crate) struct Account {
    /// Whom a trusted peer speaks for; none if it is the peer itself.
    pub(crate) client: Option<IpAddr>,
    is_https: bool,
}

impl Account {
    /// What to believe of `peer`, who sent these values of `X-Forwarded-For` and `X-Forwarded-Proto`.
    pub(crate) fn of<'a>(
        peer: &Peer,
        fors: impl DoubleEndedIterator<Item = &'a str>,
        mut protos: impl DoubleEndedIterator<Item = &'a str>,
        trusted: &[Cidr],
    ) -> Self {
        let client = if peer.is_trusted { client(fors, trusted) } else { None };
        let is_claimed = peer.is_trusted && protos.next_back().is_some_and(names_https);
        let is_https = peer.is_secure || is_claimed;
        Self { client, is_https }
    }

    /// The scheme, the port, and whether it is secured.
    pub(crate) fn connection(&self) -> (&'static str, &'static str, &'static str) {
        if self.is_https { ("https", "443", "on") } else { ("http", "80", "off") }
    }
}

/// The nearest address that no trusted proxy vouches to be one of its kind.
fn client<'a>(values: impl DoubleEndedIterator<Item = &'a str>, trusted: &[Cidr]) -> Option<IpAddr> {
    let mut nearest = None;
    for hop in values.rev().flat_map(|value| value.rsplit(',')).map(str::trim) {
        let Ok(address) = hop.parse::<IpAddr>() else { break };
        nearest = Some(address);
        if !trusted.iter().any(|range| range.contains(address)) {
            break;
        }
    }
    nearest
}

/// Whether the last protocol of a list, put there by the proxy in front, says so.
fn names_https(value: &str) -> bool {
    value.rsplit(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// Removes `X_Forwarded_For` and its like: many apps cannot tell it from the real one.
fn strip_lookalikes(headers: &mut HeaderMap) {
    let is_lookalike = |name: &&HeaderName| is_lookalike(name.as_str().as_bytes());
    while let Some(name) = headers.keys().find(is_lookalike).cloned() {
        headers.remove(name);
    }
}

/// Whether `name` is one of these headers' with underscores.
pub(crate) fn is_lookalike(name: &[u8]) -> bool {
    let ours = [&X_FORWARDED_FOR, &X_FORWARDED_PROTO, &X_FORWARDED_PORT, &X_FORWARDED_SSL, &X_REQUEST_START];
    let is_alike = |ours: &&HeaderName| {
        let ours = ours.as_str().as_bytes();
        let same = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-');
        ours.len() == name.len() && name.iter().zip(ours).all(same)
    };
    memchr::memchr(b'_', name).is_some() && ours.iter().any(is_alike)
}

/// `t=<Unix seconds>.<milliseconds>`, as nginx writes it.
fn request_start() -> HeaderValue {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = format!("t={}.{:03}", since.as_secs(), since.subsec_millis());
    HeaderValue::try_from(text).expect("digits are valid in a header")
}

fn address_value(address: IpAddr) -> HeaderValue {
    HeaderValue::try_from(address.to_string()).expect("an address is valid in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies to `headers` coming from `peer` and shows for, proto, port, ssl.
    fn check(peer: &str, headers: &[(&'static str, &str)], expected: &str) -> HeaderMap {
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
        let parse = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        let mut headers: HeaderMap = headers.iter().map(parse).collect();
        // A peer in brackets comes over TLS.
        let address = peer.trim_matches(['[', ']']).parse().unwrap();
        let seen = Peer::new(address, &trusted).secured(peer.starts_with('['));
        apply(&mut headers, &seen, &trusted);
        let shown = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-ssl"];
        let shown = shown.map(|name| headers.get(name).unwrap().to_str().unwrap());
        assert_eq!(shown.join(" "), expected);
        headers
    }

    #[test]
    fn an_unknown_peer_is_the_client() {
        check("203.0.113.9", &[], "203.0.113.9 http 80 off");
        let made_up =
            [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("forwarded", "for=1.2.3.4")];
        let headers = check("203.0.113.9", &made_up, "203.0.113.9 http 80 off");
        assert!(!headers.contains_key("forwarded"));
    }

    #[test]
    fn what_comes_over_tls_is_https_whatever_it_says() {
        check("[203.0.113.9]", &[], "203.0.113.9 https 443 on");
        check("[10.1.1.1]", &[("x-forwarded-proto", "http")], "10.1.1.1 https 443 on");
    }

    #[test]
    fn a_trusted_peer_says_who_the_client_is() {
        let https = ("x-forwarded-proto", "http, https");
        check("10.1.1.1", &[("x-forwarded-for", "1.2.3.4"), https], "1.2.3.4 https 443 on");
        check("10.1.1.1", &[("x-forwarded-for", "6.6.6.6, 1.2.3.4, 10.2.2.2")], "1.2.3.4 http 80 off");
        check("10.1.1.1", &[("x-forwarded-for", "unknown")], "10.1.1.1 http 80 off");
        check("10.1.1.1", &[("x-forwarded-for", "10.3.3.3")], "10.3.3.3 http 80 off");
        check("10.1.1.1", &[], "10.1.1.1 http 80 off");
    }

    #[test]
    fn lookalikes_of_these_headers_never_reach_an_app() {
        let given = [("x_forwarded_for", "1.2.3.4"), ("x-forwarded_proto", "https"), ("my_header", "1")];
        let headers = check("203.0.113.9", &given, "203.0.113.9 http 80 off");
        assert!(!headers.contains_key("x_forwarded_for") && !headers.contains_key("x-forwarded_proto"));
        assert!(headers.contains_key("my_header"));
    }

    #[test]
    fn the_start_of_a_request_is_noted_once() {
        let given = [("x-request-start", "t=1.000")];
        let kept = check("10.1.1.1", &given, "10.1.1.1 http 80 off");
        assert_eq!(kept.get("x-request-start").unwrap(), "t=1.000");
        let replaced = check("203.0.113.9", &given, "203.0.113.9 http 80 off");
        assert_ne!(replaced.get("x-request-start").unwrap(), "t=1.000");
    }
}
