//! What an app learns of the client: `X-Forwarded-*`, `Forwarded` and `X-Request-Start`, from trusted sources only.
//!
//! Whoever speaks to this router is the client, unless it is a load balancer in front (a setting says where those are):
//! then the client is who the load balancer says. Apps find the client's address alone in `X-Forwarded-For`, as with
//! the original's router. `Forwarded` is passed on only if a load balancer sent one, and then says the same.
//!
//! Source: RFC 7239; the original's router.

mod element;

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{CONTENT_LENGTH, FORWARDED, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use crate::Cidr;
use crate::request_id::X_REQUEST_ID;
use element::{Element, address};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_FORWARDED_SSL: HeaderName = HeaderName::from_static("x-forwarded-ssl");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static X_REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// What all headers begin with that tell of forwarding.
const FAMILY: &[u8] = b"x-forwarded-";

/// The peer of a connection, as far as apps learn of it.
pub(crate) struct Peer {
    /// Its address.
    pub(crate) address: IpAddr,
    /// Whether it speaks TLS with this router.
    pub(crate) is_secure: bool,
    /// In which version; empty without it.
    pub(crate) tls: &'static str,
    /// Whether a load balancer named it, which is at the other end itself: nothing that comes is the load balancer's word.
    pub(crate) is_announced: bool,
    /// The address as apps are told.
    pub(crate) text: HeaderValue,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The client.
    pub(crate) client: IpAddr,
    /// Whether the client speaks HTTPS, with this router or with a load balancer in front.
    pub(crate) is_https: bool,
    /// Whether what the peer says is believed.
    pub(crate) is_trusted: bool,
}

/// A header by which a proxy in front tells of its client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Said {
    /// `X-Forwarded-For`.
    For,
    /// `X-Forwarded-Proto`.
    Proto,
    /// `Forwarded`.
    Forwarded,
}

impl Peer {
    /// The peer at `address`.
    pub(crate) fn new(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, is_secure: false, tls: "", is_announced: false, text: address_value(address) }
    }

    /// The same, over this version of TLS; empty without it.
    pub(crate) fn over(self, tls: &'static str) -> Self {
        Self { is_secure: !tls.is_empty(), tls, ..self }
    }

    /// The same, named by a load balancer.
    pub(crate) fn announced(self) -> Self {
        Self { is_announced: true, ..self }
    }

    /// Whether it is one of those `trusted`: a load balancer, and no visitor with such an address whom one named.
    pub(crate) fn is_trusted(&self, trusted: &[Cidr]) -> bool {
        !self.is_announced && is_among(self.address, trusted)
    }
}

impl Origin {
    /// Where the request with `headers` comes from, if what peers among `trusted` say is true.
    pub(crate) fn of(headers: &HeaderMap, peer: &Peer, trusted: &[Cidr]) -> Self {
        let values = |said: Said| {
            let name = match said {
                Said::For => &X_FORWARDED_FOR,
                Said::Proto => &X_FORWARDED_PROTO,
                Said::Forwarded => &FORWARDED,
            };
            headers.get_all(name).iter().map(|value| legible(value.as_bytes()))
        };
        Self::told(peer, trusted, values)
    }

    /// The same for a request with these `values` of the headers that tell.
    pub(crate) fn told<'a, I: DoubleEndedIterator<Item = &'a str>>(
        peer: &Peer,
        trusted: &[Cidr],
        values: impl Fn(Said) -> I,
    ) -> Self {
        let (client, is_https) = (peer.address, peer.is_secure);
        let direct = Self { client, is_https, is_trusted: peer.is_trusted(trusted) };
        if !direct.is_trusted {
            return direct;
        }
        let forwarded = |name| hops(values(Said::Forwarded)).map(move |hop| Element(hop).get(name));
        // `X-Forwarded-For` counts more than `Forwarded`, which few load balancers send.
        let named = match values(Said::For).next() {
            Some(_) => nearest(hops(values(Said::For)), trusted),
            None => nearest(forwarded("for").map(Option::unwrap_or_default), trusted),
        };
        let scheme = hops(values(Said::Proto)).next().or_else(|| forwarded("proto").next().flatten());
        let is_https = is_https || scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
        Self { client: named.unwrap_or(client), is_https, ..direct }
    }

    /// The scheme, the port, and whether it is secured.
    pub(crate) fn connection(&self) -> (&'static str, &'static str, &'static str) {
        if self.is_https { ("https", "443", "on") } else { ("http", "80", "off") }
    }
}

/// Tells the app behind `headers` where the request comes from, and nothing that an untrusted peer made up. When it
/// came in is told only if `tells_start`.
pub(crate) fn apply(headers: &mut HeaderMap, peer: &Peer, origin: &Origin, tells_start: bool) {
    strip(headers, origin.is_trusted);
    let is_peer = origin.client == peer.address;
    let client = if is_peer { peer.text.clone() } else { address_value(origin.client) };
    let (scheme, port, ssl) = origin.connection();
    headers.insert(&X_FORWARDED_FOR, client);
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(&X_FORWARDED_PORT, HeaderValue::from_static(port));
    headers.insert(&X_FORWARDED_SSL, HeaderValue::from_static(ssl));
    if headers.contains_key(FORWARDED) {
        headers.insert(FORWARDED, element(origin));
    }
    match (tells_start, headers.contains_key(&X_REQUEST_START)) {
        (true, false) => _ = headers.insert(&X_REQUEST_START, request_start()),
        (false, true) => _ = headers.remove(&X_REQUEST_START),
        _ => {}
    }
}

/// What of a field's value is ASCII, from its end on. A client must not make what a proxy added to its own words illegible,
/// as it would then pass for the proxy.
pub(crate) fn legible(value: &[u8]) -> &str {
    let begin = value.iter().rposition(|byte| !byte.is_ascii()).map_or(0, |place| place + 1);
    std::str::from_utf8(&value[begin..]).expect("ASCII is text")
}

/// The parts of lists, the last first: that was put there by the proxy in front.
fn hops<'a>(values: impl DoubleEndedIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    values.rev().flat_map(|value| value.rsplit(','))
}

/// The nearest address that no trusted proxy vouches to be one of its kind.
fn nearest<'a>(hops: impl Iterator<Item = &'a str>, trusted: &[Cidr]) -> Option<IpAddr> {
    let mut nearest = None;
    for hop in hops {
        let Some(address) = address(hop) else { break };
        nearest = Some(address);
        if !is_among(address, trusted) {
            break;
        }
    }
    nearest
}

/// Removes what an untrusted peer says of the client, and from any peer what only deceives.
fn strip(headers: &mut HeaderMap, is_trusted: bool) {
    let is_lie = |name: &&HeaderName| {
        let name = name.as_str().as_bytes();
        is_deceptive(name) || (!is_trusted && is_about_client(name))
    };
    while let Some(name) = headers.keys().find(is_lie).cloned() {
        headers.remove(name);
    }
}

/// Whether a header of this name, in any case, tells of the client, `_` counting as `-`: such are passed on from
/// trusted peers only.
pub(crate) fn is_about_client(name: &[u8]) -> bool {
    let family = &name[..name.len().min(FAMILY.len())];
    is_alike(family, FAMILY) || [&FORWARDED, &X_REAL_IP, &X_REQUEST_START].iter().any(|ours| is(name, ours))
}

/// Whether a header of this name, in any case, only deceives apps, whoever sends it. Many cannot tell `X_Forwarded_For`
/// from the real one, and likewise what else this router vouches for; and to some `Proxy` is the variable `HTTP_PROXY`,
/// which leads their own requests astray.
pub(crate) fn is_deceptive(name: &[u8]) -> bool {
    let is_vouched = || {
        let vouched = [&X_REQUEST_ID, &CONTENT_LENGTH, &TRANSFER_ENCODING];
        is_about_client(name) || vouched.iter().any(|ours| is(name, ours))
    };
    name.eq_ignore_ascii_case(b"proxy") || (is_vouched() && memchr::memchr(b'_', name).is_some())
}

fn is(name: &[u8], ours: &HeaderName) -> bool {
    is_alike(name, ours.as_str().as_bytes())
}

/// Whether both are the same name, `_` counting as `-`.
fn is_alike(name: &[u8], ours: &[u8]) -> bool {
    let same = |(a, b): (&u8, &u8)| a.eq_ignore_ascii_case(b) || (*a == b'_' && *b == b'-');
    name.len() == ours.len() && name.iter().zip(ours).all(same)
}

/// The value of `Forwarded` that says where a request comes from.
pub(crate) fn element(origin: &Origin) -> HeaderValue {
    element::value(origin.client, origin.connection().0)
}

fn is_among(address: IpAddr, ranges: &[Cidr]) -> bool {
    ranges.iter().any(|range| range.contains(address))
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
mod tests;
