//! Whether an answer is compressed on its way, and what that changes about its head: judged as for all requests.

use deis_model::routing::Compression;
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, HeaderValue, VARY,
};
use httparse::Header;

use crate::compress::{self, Encoder, Encoders, Offered, Verdict};
use crate::h1::ask::Ask;

/// By what an answer may be compressed.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The rules of its service.
    pub(crate) rules: &'a Compression,
    /// What it answers.
    pub(crate) ask: &'a Ask,
    /// Make what compresses it.
    pub(crate) encoders: &'a Encoders,
}

/// All fields that compression may change; the first one changes also if this client gets no compressed answer.
static CHANGED: [HeaderName; 5] = [VARY, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG];

/// What compression changes about an answer.
#[derive(Default)]
pub(super) struct Coding {
    /// Fields of these names are left out.
    names: &'static [HeaderName],
    /// These take their place.
    fields: HeaderMap,
    /// What compresses the body; none if it goes as it is.
    pub(super) encoder: Option<Encoder>,
}

impl Coding {
    /// What `terms` change about an answer with this status and these `fields`, and a body of this length if that is known;
    /// for `HEAD` the body that `GET` would get.
    pub(super) fn of(terms: Terms<'_>, status: u16, length: Option<u64>, fields: &[Header<'_>]) -> Self {
        let Ok(status) = StatusCode::from_u16(status) else { return Self::default() };
        let offered = offered(status, length, fields);
        if !offered.is_compressible(terms.rules) {
            return Self::default();
        }
        let verdict = compress::wants(terms.rules, &terms.ask.asked(), &offered);
        let (verdict, encoder) = terms.encoders.settle(verdict, terms.rules.level);
        let names = match verdict {
            Verdict::Plain => &[],
            Verdict::PlainForThis => &CHANGED[..1],
            Verdict::Compressed(_) => &CHANGED[..],
        };
        let mut coding = Self { names, fields: HeaderMap::new(), encoder };
        for field in fields {
            if let Some(name) = coding.changed(field.name)
                && let Ok(value) = HeaderValue::from_bytes(field.value)
            {
                coding.fields.append(name, value);
            }
        }
        compress::apply(verdict, terms.rules, &mut coding.fields);
        coding
    }

    /// Whether the fields of this name are left out.
    pub(super) fn replaces(&self, name: &str) -> bool {
        self.changed(name).is_some()
    }

    /// What takes their place.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }

    fn changed(&self, name: &str) -> Option<&'static HeaderName> {
        self.names.iter().find(|changed| changed.as_str().eq_ignore_ascii_case(name))
    }
}

fn offered<'b>(status: StatusCode, length: Option<u64>, fields: &[Header<'b>]) -> Offered<'b> {
    let values = |name: &'static str| {
        let found = fields.iter().filter(move |field| name.eq_ignore_ascii_case(field.name));
        found.map(|field| field.value)
    };
    let has = |name: &'static HeaderName| values(name.as_str()).next().is_some();
    let content_type = values("content-type").next().and_then(visible).unwrap_or_default();
    let is_settled = compress::settling().any(has) || compress::forbid_change(values("cache-control"));
    Offered { status, content_type, length, is_settled }
}

/// A value of a field as text, if it is plain ASCII.
pub(super) fn visible(value: &[u8]) -> Option<&str> {
    let is_plain = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| is_plain)
}
