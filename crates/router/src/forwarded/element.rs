//! One proxy's part of `Forwarded`: `for=192.0.2.60;proto=https`. Source: RFC 7239 section 4.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

/// The text of one.
pub(super) struct Element<'a>(pub(super) &'a str);

impl<'a> Element<'a> {
    /// The value of a parameter, without quotes.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let pairs = self.0.split(';').filter_map(|pair| pair.split_once('='));
        let found =
            pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        found
            .map(|value| value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
            .next()
    }
}

/// The address in `text`, which may have a port, and brackets if it is one of IPv6.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    bare.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

/// The element that tells of this client.
pub(super) fn value(client: IpAddr, scheme: &str) -> HeaderValue {
    let text = match client {
        IpAddr::V4(address) => format!("for={address};proto={scheme}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\";proto={scheme}"),
    };
    HeaderValue::try_from(text).expect("addresses and schemes are valid in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_whatever_their_case_and_quotes() {
        let check = |text, name, expected| assert_eq!(Element(text).get(name), expected, "{text}");
        check("for=192.0.2.60;proto=https;by=203.0.113.43", "proto", Some("https"));
        check(" For=\"[2001:db8:cafe::17]:4711\" ", "for", Some("[2001:db8:cafe::17]:4711"));
        check("proto=http", "for", None);
        check("", "for", None);
    }

    #[test]
    fn addresses_may_have_ports_and_brackets() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(address(text), expected.map(|text| text.parse().unwrap()), "{text}");
        };
        check("192.0.2.60", Some("192.0.2.60"));
        check(" 192.0.2.60:80 ", Some("192.0.2.60"));
        check("[2001:db8::1]:80", Some("2001:db8::1"));
        check("[2001:db8::1]", Some("2001:db8::1"));
        check("2001:db8::1", Some("2001:db8::1"));
        check("::ffff:192.0.2.60", Some("192.0.2.60"));
        for text in ["unknown", "_hidden", "", "192.0.2", "[192.0.2.1", "example.com:80"] {
            check(text, None);
        }
    }
}
