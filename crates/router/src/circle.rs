//! Requests that travel in a circle: an app passes them on to a host that leads back to it.
//!
//! Every router tells by `Via` that a request came through it. That one comes by twice is nothing to mind, as an app may
//! well ask another one of the platform for its visitor; that one comes by a dozen times is. `Max-Forwards` is counted
//! down where it counts. Source: RFC 9110 sections 7.6.2 and 7.6.3.

use http::header::{HeaderMap, HeaderName, HeaderValue, MAX_FORWARDS, VIA};
use http::request::Parts;
use http::{Method, Version};

use crate::page::Failure;

/// What routers of any platform are called in `Via`.
const NAME: &str = "deis";

/// How often a request may have come through routers.
const MOST: usize = 10;

/// Adds this router to the way of a request that came in `version` of the protocol.
pub(crate) fn note(headers: &mut HeaderMap, version: Version) {
    headers.append(VIA, HeaderValue::from_static(step(version)));
}

/// The same as a field of its own.
pub(crate) fn field(version: Version) -> [&'static [u8]; 3] {
    [b"Via: ", step(version).as_bytes(), b"\r\n"]
}

fn step(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2 deis",
        Version::HTTP_10 => "1.0 deis",
        _ => "1.1 deis",
    }
}

/// Whether a request has come by too often.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Failure> {
    let is_circle = is_circle(headers.get_all(VIA).iter().map(HeaderValue::as_bytes));
    if is_circle { Err(Failure::Circle) } else { Ok(()) }
}

/// The same of one whose fields `Via` have these `values`.
pub(crate) fn is_circle<'a>(values: impl Iterator<Item = &'a [u8]>) -> bool {
    let steps = values.flat_map(|value| value.split(|byte| *byte == b','));
    steps.filter(|step| is_router(step)).count() >= MOST
}

/// Whether a step of a request's way, `<protocol> <name> (<comment>)`, is such a router.
fn is_router(step: &[u8]) -> bool {
    let mut words = step.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.nth(1) == Some(NAME.as_bytes())
}

/// Counts down how often the request with this `head` may still be passed on; whether it may at all.
pub(crate) fn count_down(head: &mut Parts) -> bool {
    // Others need not mind.
    if head.method != Method::OPTIONS {
        return true;
    }
    let left = |name: &HeaderName| head.headers.get(name)?.to_str().ok()?.parse::<u32>().ok();
    match left(&MAX_FORWARDS) {
        None => true,
        Some(0) => false,
        Some(left) => {
            head.headers.insert(MAX_FORWARDS, (left - 1).into());
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_by_too_often_is_in_a_circle() {
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.0 fred, 1.1 p.example.net (deis)"));
        for _ in 0..MOST {
            assert!(check(&headers).is_ok());
            note(&mut headers, Version::HTTP_11);
        }
        assert!(check(&headers).is_err());
        let joined =
            HeaderValue::from_static("1.1 deis, 1.0 deis,2 deis, 1.1 deis,1.1 deis, 1.1 deis, 1.1 deis");
        let joined = HeaderMap::from_iter([(VIA, joined)]);
        assert!(check(&joined).is_ok());
    }

    #[test]
    fn both_ways_tell_the_same() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            let mut headers = HeaderMap::new();
            note(&mut headers, version);
            assert_eq!(field(version).concat(), [b"Via: ", headers[VIA].as_bytes(), b"\r\n"].concat());
        }
    }
}
