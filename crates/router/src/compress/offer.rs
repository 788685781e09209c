//! Whether an answer is compressed, judged from its head and that of its request.

use deis_model::routing::{Compression, Encoding};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, VARY, VIA,
};
use http::request::Parts;
use http::{Method, StatusCode, Version, response};

use super::accept::preferred;

/// Names what the bytes of the body are, so that no other bytes may take their place. Source: RFC 9530.
static DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// Names what the bytes of the body are a coding or a part of.
static CODED: [HeaderName; 2] = [CONTENT_ENCODING, CONTENT_RANGE];

/// What of a request decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `Accept-Encoding`, its lines joined by commas; empty if there is none.
    pub(crate) accept: String,
    /// Whether it is `HEAD`: its answer has no body.
    pub(crate) is_head: bool,
    /// Whether it is of HTTP/1.0.
    pub(crate) is_http10: bool,
    /// Whether it came through another proxy that said so, with `Via`.
    pub(crate) is_proxied: bool,
}

/// What of an answer decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered<'a> {
    /// Its status.
    pub(crate) status: StatusCode,
    /// `Content-Type`; empty if there is none.
    pub(crate) content_type: &'a str,
    /// The length of its body, if it says so.
    pub(crate) length: Option<u64>,
    /// Whether it has a `Content-Encoding`, a `Content-Range`, or a digest of its bytes, or forbids changes.
    pub(crate) is_settled: bool,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes as it is, to everybody.
    Plain,
    /// It goes as it is, to a client that others like it would get compressed.
    PlainForThis,
    /// It is compressed.
    Compressed(Encoding),
}

/// What becomes of an answer by the rules of its service.
pub(crate) fn wants(rules: &Compression, asked: &Asked, offered: &Offered<'_>) -> Verdict {
    if rules.encodings.is_empty() || !offered.is_compressible(rules) {
        return Verdict::Plain;
    }
    let is_served = (rules.for_http10 || !asked.is_http10) && (rules.for_proxied || !asked.is_proxied);
    match preferred(&asked.accept, &rules.encodings) {
        // What takes no coding at all is good for everybody, whoever a cache gives it to.
        None => Verdict::Plain,
        // Nothing of the body of an answer to HEAD is sent, and its length is worth more than a guess at its coding.
        Some(encoding) if is_served && !asked.is_head => Verdict::Compressed(encoding),
        Some(_) => Verdict::PlainForThis,
    }
}

/// Names of fields of which any settles that an answer stays as it is.
pub(crate) fn settling() -> impl Iterator<Item = &'static HeaderName> {
    DIGESTS.iter().chain(&CODED)
}

/// Whether `lines` of `Cache-Control`, all that there are, forbid to change an answer. Source: RFC 9110 sections 5.3 and 7.7.
pub(crate) fn forbid_change<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> bool {
    let is_said = |directive: &[u8]| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform");
    lines.any(|line| line.split(|byte| *byte == b',').any(is_said))
}

/// Changes the head of an answer by `verdict`. Source: RFC 9110 sections 8.4, 8.8.3.3 and 12.5.5.
pub(crate) fn apply(verdict: Verdict, rules: &Compression, headers: &mut HeaderMap) {
    if verdict != Verdict::Plain && rules.vary && !varies(headers) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Verdict::Compressed(encoding) = verdict {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
        headers.remove(CONTENT_LENGTH);
        // Ranges count bytes of one coding, and the app knows only its own.
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
    }
}

impl Asked {
    /// What of the request with this `head`, as the app saw it, decides.
    pub(crate) fn of(head: &Parts) -> Self {
        let lines = head.headers.get_all(ACCEPT_ENCODING).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        Self {
            accept: lines.join(","),
            is_head: head.method == Method::HEAD,
            is_http10: head.version == Version::HTTP_10,
            // One tells of this router.
            is_proxied: head.headers.get_all(VIA).iter().nth(1).is_some(),
        }
    }
}

impl<'a> Offered<'a> {
    /// What of the answer with this `head` decides; `length` is that of its body, if it is known.
    pub(crate) fn of(head: &'a response::Parts, length: Option<u64>) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cache_control = head.headers.get_all(CACHE_CONTROL).iter().map(HeaderValue::as_bytes);
        let is_settled =
            settling().any(|name| head.headers.contains_key(name)) || forbid_change(cache_control);
        Self { status: head.status, content_type: text(&CONTENT_TYPE), length, is_settled }
    }

    /// Whether it may be compressed, whoever gets it.
    pub(crate) fn is_compressible(&self, rules: &Compression) -> bool {
        let has_body = match self.status.as_u16() {
            204..=206 => false,
            status => (200..300).contains(&status) || status >= 400,
        };
        has_body
            && !self.is_settled
            && self.length.is_none_or(|length| length >= rules.min_bytes)
            && self.is_of(&rules.types)
    }

    fn is_of(&self, types: &[String]) -> bool {
        let own = self.content_type.split(';').next().unwrap_or_default().trim();
        let is_own = |wanted: &str| wanted == "*" || wanted.eq_ignore_ascii_case(own);
        !own.is_empty() && (is_own("text/html") || types.iter().any(|wanted| is_own(wanted)))
    }
}

/// Whether caches are told already that it depends on `Accept-Encoding`, or on everything.
fn varies(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok());
    let mut names = lines.flat_map(|line| line.split(',')).map(str::trim);
    names.any(|name| name == "*" || name.eq_ignore_ascii_case("accept-encoding"))
}

/// A strong tag promises the same bytes, which differ from now on.
fn weaken(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/")) {
        match HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()) {
            Ok(weak) => headers.insert(ETAG, weak),
            Err(_) => headers.remove(ETAG),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Offered<'static> {
        Offered {
            status: StatusCode::OK,
            content_type: "text/html; charset=utf-8",
            length: Some(1000),
            is_settled: false,
        }
    }

    fn asked() -> Asked {
        Asked { accept: "gzip".to_owned(), ..Asked::default() }
    }

    fn check(offered: Offered<'_>, expected: Verdict) {
        assert_eq!(wants(&Compression::default(), &asked(), &offered), expected, "{offered:?}");
    }

    const GZIP: Verdict = Verdict::Compressed(Encoding::Gzip);

    #[test]
    fn answers_worth_it_are_compressed() {
        check(offered(), GZIP);
        check(Offered { length: None, ..offered() }, GZIP);
        check(Offered { length: Some(256), ..offered() }, GZIP);
        check(Offered { content_type: "Application/JSON", ..offered() }, GZIP);
        check(Offered { status: StatusCode::NOT_FOUND, ..offered() }, GZIP);
    }

    #[test]
    fn answers_that_must_stay_as_they_are_do() {
        check(Offered { length: Some(255), ..offered() }, Verdict::Plain);
        for content_type in ["", "image/png", "text/event-stream", "application/grpc", "texthtml"] {
            check(Offered { content_type, ..offered() }, Verdict::Plain);
        }
        check(Offered { is_settled: true, ..offered() }, Verdict::Plain);
        for status in [101, 204, 205, 206, 301, 304] {
            check(Offered { status: StatusCode::from_u16(status).unwrap(), ..offered() }, Verdict::Plain);
        }
    }

    #[test]
    fn any_line_may_forbid_change() {
        let forbid = |lines: &[&'static str]| forbid_change(lines.iter().map(|line| line.as_bytes()));
        assert!(forbid(&["public, No-Transform"]) && forbid(&["public", "\u{fc}, no-transform"]));
        assert!(!forbid(&[]) && !forbid(&["public", "max-age=1, no-transforms"]));
    }

    #[test]
    fn caches_learn_of_what_others_would_get() {
        let rules = Compression::default();
        let verdict = |asked: Asked| wants(&rules, &asked, &offered());
        assert_eq!(verdict(Asked::default()), Verdict::Plain);
        assert_eq!(verdict(Asked { is_http10: true, ..asked() }), Verdict::PlainForThis);
        assert_eq!(verdict(Asked { is_head: true, ..asked() }), Verdict::PlainForThis);
        let shy = Compression { for_proxied: false, ..Compression::default() };
        let proxied = Asked { is_proxied: true, ..asked() };
        assert_eq!(wants(&shy, &proxied, &offered()), Verdict::PlainForThis);
        let off = Compression { encodings: vec![], ..Compression::default() };
        assert_eq!(wants(&off, &asked(), &offered()), Verdict::Plain);
        let mut headers = HeaderMap::new();
        apply(Verdict::PlainForThis, &rules, &mut headers);
        assert_eq!((headers.len(), &headers[VARY]), (1, &HeaderValue::from_static("Accept-Encoding")));
    }

    #[test]
    fn the_head_says_what_the_body_has_become() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (CONTENT_LENGTH, "1000"),
            (ACCEPT_RANGES, "bytes"),
            (ETAG, "\"a\""),
            (VARY, "Cookie, accept-encoding"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        apply(GZIP, &Compression::default(), &mut headers);
        let shown = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap());
        assert_eq!(shown(CONTENT_ENCODING), Some("gzip"));
        assert_eq!(shown(ETAG), Some("W/\"a\""));
        assert_eq!(shown(VARY), Some("Cookie, accept-encoding"));
        assert_eq!((shown(CONTENT_LENGTH), shown(ACCEPT_RANGES)), (None, None));
        apply(GZIP, &Compression::default(), &mut headers);
        assert_eq!(headers[ETAG], "W/\"a\"");
    }
}
