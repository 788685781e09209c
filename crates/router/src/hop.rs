//! Headers that concern one connection only and end at the router. Source: RFC 9110 section 7.6.1.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE,
};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Removes from a request what ends here. `Transfer-Encoding` stays: it has been checked to be `chunked`.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    strip_named_in_connection(headers);
    headers.remove(&KEEP_ALIVE);
    headers.remove(&PROXY_CONNECTION);
    headers.remove(UPGRADE);
    // What the client accepts is what this router passes on, and trailers are.
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Removes from an answer what ends here.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    strip_named_in_connection(headers);
    headers.remove(&KEEP_ALIVE);
    headers.remove(&PROXY_CONNECTION);
    headers.remove(UPGRADE);
    // A body in chunks has no other length. Source: RFC 9112 section 6.3.
    if headers.remove(TRANSFER_ENCODING).is_some() {
        headers.remove(CONTENT_LENGTH);
    }
    // Two lengths, once they are alike, are one. Source: RFC 9110 section 8.6.
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some()
        && let Some(length) = headers.get(CONTENT_LENGTH).cloned()
    {
        headers.insert(CONTENT_LENGTH, length);
    }
}

/// The length of the body that an answer tells of, whether it is sent or not; none if it tells none.
pub(crate) fn told_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether no transfer coding but `chunked` is on an answer: the library decodes no other, and its name ends here. And
/// whether it tells one length at most, which the library does not look at where there is no body.
pub(crate) fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let is_coded_plainly = codings.next().is_none_or(is_chunked) && codings.next().is_none();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let is_length =
        |length: &HeaderValue| length.as_bytes().iter().all(u8::is_ascii_digit) && !length.is_empty();
    let first = lengths.next();
    is_coded_plainly && first.is_none_or(is_length) && lengths.all(|length| Some(length) == first)
}

/// The protocol that the sender wants to change to, if it asks properly.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    let is_asked = connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"));
    is_asked.then_some(protocol)
}

/// Whether the sender changes to nothing but what `asked` lists, of whatever case. Source: RFC 9110 section 7.8.
pub(crate) fn is_asked(headers: &HeaderMap, asked: &HeaderValue) -> bool {
    let protocols = |value: &HeaderValue| -> Vec<Vec<u8>> {
        let tokens = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        tokens.filter(|token| !token.is_empty()).map(<[u8]>::to_ascii_lowercase).collect()
    };
    let (asked, mut answered) = (protocols(asked), headers.get_all(UPGRADE).iter().flat_map(protocols));
    answered.next().is_some_and(|first| asked.contains(&first)) && answered.all(|next| asked.contains(&next))
}

/// Asks for, or agrees to, a change to `protocol`.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

fn strip_named_in_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = connection_options(headers)
        .filter(|option| !is_plain(option))
        .filter_map(|option| option.parse().ok())
        .filter(|name| !is_needed(name))
        .collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|option| !option.is_empty())
}

/// Options that name no header, or one that is removed in any case.
fn is_plain(option: &str) -> bool {
    ["keep-alive", "close", "upgrade", "te"].iter().any(|plain| option.eq_ignore_ascii_case(plain))
}

/// What a client must not be able to remove by naming it: the message's own framing and what the router vouches for.
fn is_needed(name: &HeaderName) -> bool {
    matches!(name.as_str(), "host" | "content-length" | "transfer-encoding" | "trailer" | "x-request-id")
        || name.as_str().starts_with("x-forwarded-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(parse).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_concerns_the_connection_ends_here() {
        let mut request = headers(&[
            ("host", "a"),
            ("connection", "keep-alive, X-Mine, te"),
            ("keep-alive", "timeout=5"),
            ("x-mine", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("proxy-connection", "keep-alive"),
            ("upgrade", "h2c"),
        ]);
        strip_request(&mut request);
        assert_eq!(names(&request), ["host", "te", "transfer-encoding"]);
        let mut response =
            headers(&[("connection", "close"), ("transfer-encoding", "chunked"), ("etag", "1")]);
        strip_response(&mut response);
        assert_eq!(names(&response), ["etag"]);
    }

    #[test]
    fn lengths_that_are_alike_are_passed_on_as_one() {
        let mut response = headers(&[("content-length", "2"), ("content-length", "2"), ("etag", "1")]);
        assert!(is_plainly_framed(&response));
        strip_response(&mut response);
        assert_eq!(response.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>(), ["2"]);
        for lengths in [["2, 2", "2, 2"], ["2", "3"], ["2", "02"]] {
            assert!(!is_plainly_framed(&headers(&lengths.map(|length| ("content-length", length)))));
        }
    }

    #[test]
    fn only_what_was_asked_for_is_agreed_to() {
        let is_asked = |answered: &[&str], asked: &'static str| {
            let lines: Vec<_> = answered.iter().map(|line| ("upgrade", *line)).collect();
            is_asked(&headers(&lines), &HeaderValue::from_static(asked))
        };
        assert!(is_asked(&["WebSocket"], "websocket") && is_asked(&["b/1"], "a, B/1,c"));
        assert!(is_asked(&["a, b"], "b, a"));
        for answered in [&["h2c"][..], &[""], &[], &["websocket, h2c"], &["websocket", "h2c"], &["web"]] {
            assert!(!is_asked(answered, "websocket"), "{answered:?}");
        }
    }

    #[test]
    fn a_client_cannot_name_away_what_the_router_needs() {
        let mut request = headers(&[
            ("connection", "host, content-length, x-forwarded-for"),
            ("host", "a"),
            ("content-length", "2"),
            ("x-forwarded-for", "b"),
        ]);
        strip_request(&mut request);
        assert_eq!(names(&request), ["content-length", "host", "x-forwarded-for"]);
    }

    #[test]
    fn an_upgrade_must_be_named_in_connection() {
        assert!(
            upgrade(&headers(&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")])).is_some()
        );
        assert!(upgrade(&headers(&[("upgrade", "websocket"), ("connection", "keep-alive")])).is_none());
        assert!(upgrade(&headers(&[("connection", "upgrade")])).is_none());
    }
}
