//! What peers say of clients: believed from trusted ones only, and told on in one way, the same if told twice.

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use crate::Cidr;
use crate::forwarded::{self, Origin, Peer};

/// One field in a line.
pub(super) fn check(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(32) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    for peer in ["203.0.113.9", "10.1.1.1"] {
        check_told(&headers, &Peer::new(peer.parse().expect("it is an address")));
    }
}

fn check_told(headers: &HeaderMap, peer: &Peer) {
    let trusted: [Cidr; 2] = ["10.0.0.0/8", "fd00::/8"].map(|range| range.parse().expect("it is a range"));
    let origin = Origin::of(headers, peer, &trusted);
    let is_trusted = peer.is_trusted(&trusted);
    assert!(is_trusted || (origin.client, origin.is_https) == (peer.address, false));
    assert_eq!(origin.client.to_canonical(), origin.client);
    let mut told = headers.clone();
    forwarded::apply(&mut told, peer, &origin, true);
    let one = |name: &'static str| {
        let mut values = told.get_all(name).iter();
        let value = values.next().expect("it is told").to_str().expect("it is text").to_owned();
        assert_eq!(values.next(), None, "{name}");
        value
    };
    assert_eq!(one("x-forwarded-for"), origin.client.to_string());
    assert_eq!(one("x-forwarded-proto") == "https", origin.is_https);
    assert_eq!(
        (one("x-forwarded-port") == "443", one("x-forwarded-ssl") == "on"),
        (origin.is_https, origin.is_https)
    );
    let claims = told.keys().filter(|name| forwarded::is_about_client(name.as_str().as_bytes()));
    let ours =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-ssl", "x-request-start"];
    for name in claims.map(HeaderName::as_str) {
        assert!(is_trusted || ours.contains(&name), "{name}");
    }
    assert!(!told.keys().any(|name| forwarded::is_deceptive(name.as_str().as_bytes())));
    if is_trusted {
        check_again(&told, peer, &trusted, origin);
    }
}

/// A router behind this one, which trusts it, learns the same.
fn check_again(told: &HeaderMap, peer: &Peer, trusted: &[Cidr], origin: Origin) {
    assert_eq!(Origin::of(told, peer, trusted), origin);
    let mut again = told.clone();
    forwarded::apply(&mut again, peer, &origin, true);
    assert_eq!(again, *told);
    if told.contains_key(FORWARDED) {
        let mut only = HeaderMap::new();
        only.insert(FORWARDED, told[FORWARDED].clone());
        assert_eq!(Origin::of(&only, peer, trusted), origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_hide_behind_the_proxy_that_names_it() {
        for said in [&b"6.6\xc3\xbc, 1.2.3.4"[..], b"\xff, 1.2.3.4", b"\xff,1.2.3.4"] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_bytes(said).unwrap(),
            )]);
            let origin =
                Origin::of(&headers, &Peer::new([10, 1, 1, 1].into()), &["10.0.0.0/8".parse().unwrap()]);
            assert_eq!(origin.client.to_string(), "1.2.3.4");
        }
    }
}
