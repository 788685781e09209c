//! Requests that came over HTTP/2, made fit for HTTP/1.1 without a second meaning.
//!
//! The library has refused by now what is malformed in HTTP/2 itself: names in upper case, control characters, headers
//! that concern one connection, a body of another length than announced. Source: RFC 9113 section 8.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderValue};
use http::uri::Uri;

use crate::framing::Fault;

/// Makes `headers` of a request for `target` what HTTP/1.1 expects, or says what is wrong with them.
pub(crate) fn check(headers: &mut HeaderMap, target: &Uri) -> Result<(), Fault> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), target.authority()) {
        (None, None) => return Err(Fault::NoHost),
        (Some(host), Some(authority))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            return Err(Fault::OtherHost);
        }
        _ => {}
    }
    if hosts.next().is_some() {
        return Err(Fault::RepeatedHost);
    }
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(Fault::RepeatedLength);
    }
    join_cookies(headers);
    Ok(())
}

fn join_cookies(headers: &mut HeaderMap) {
    if let Some(joined) = joined_cookies(headers) {
        headers.insert(COOKIE, joined);
    }
}

/// All cookies in one value, if they are in several: HTTP/2 may send them so, HTTP/1.1 only in one. Source: RFC 9113
/// section 8.2.3.
pub(crate) fn joined_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get_all(COOKIE).iter().nth(1)?;
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    Some(joined.expect("its parts are values and so is `; `"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderName;

    fn check(target: &str, headers: &[(&'static str, &'static str)], expected: Result<&str, Fault>) {
        let parse = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers: HeaderMap = headers.iter().map(parse).collect();
        let checked = super::check(&mut headers, &target.parse().unwrap());
        let cookie = headers.get(COOKIE).map_or("", |value| value.to_str().unwrap());
        assert_eq!(checked.map(|()| cookie), expected, "{target}");
    }

    #[test]
    fn authority_and_host_must_agree() {
        check("https://a.test/", &[], Ok(""));
        check("https://a.test/", &[("host", "A.test")], Ok(""));
        check("/", &[("host", "a.test")], Ok(""));
        check("https://a.test/", &[("host", "b.test")], Err(Fault::OtherHost));
        check("https://a.test/", &[("host", "a.test:443")], Err(Fault::OtherHost));
        check("https://a.test/", &[("host", "a.test"), ("host", "a.test")], Err(Fault::RepeatedHost));
        check("/", &[], Err(Fault::NoHost));
    }

    #[test]
    fn a_length_is_given_once() {
        let lengths = [("content-length", "2"), ("content-length", "2")];
        check("https://a.test/", &lengths, Err(Fault::RepeatedLength));
    }

    #[test]
    fn cookies_become_one_field() {
        check("https://a.test/", &[("cookie", "a=1")], Ok("a=1"));
        check("https://a.test/", &[("cookie", "a=1"), ("cookie", "b=2; c=3")], Ok("a=1; b=2; c=3"));
    }
}
