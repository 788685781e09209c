//! A request of the common kind, read strictly.
//!
//! Whatever is not plainly one is nobody's fault here: it is *odd*, and another reader judges it. So this one need not
//! refuse anything, and takes nothing that could be read in two ways. Source: RFC 9112 sections 2 to 6.

use std::mem::MaybeUninit;

use http::Version;
use httparse::{Header, Status};

use crate::circle;
use crate::h1::kind::Kind;
use crate::host::Host;

/// The most fields of a common request.
pub(crate) const FIELDS: usize = 64;

/// How many fields are added to those that a client may send, and more.
pub(crate) const OWN_FIELDS: usize = 16;

/// Room for the fields of a request.
pub(crate) type Room<'b> = [MaybeUninit<Header<'b>>; FIELDS];

/// Something that is for others to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Odd;

/// A common request: one host, one way to see where its body ends, no wish to change anything.
pub(crate) struct Request<'h, 'b> {
    /// The version of HTTP that its client speaks: 1.1 or 2.
    pub(crate) version: Version,
    /// One of [`METHODS`].
    pub(crate) method: &'b str,
    /// A path, and perhaps a query.
    pub(crate) target: &'b str,
    /// Names are tokens; values hold no control characters.
    fields: &'h [Header<'b>],
    /// What each of them is.
    kinds: [Kind; FIELDS],
    /// The host it is for.
    pub(crate) host: Host,
    /// The length of its head.
    pub(crate) head_bytes: usize,
    /// The length of its body; 0 if that is in chunks.
    pub(crate) body_bytes: u64,
    /// Whether its body is in chunks.
    pub(crate) is_chunked: bool,
    /// Whether its client waits to hear that the body is wanted.
    pub(crate) is_awaited: bool,
    /// Whether the client wants to send more on the same connection.
    pub(crate) keeps_alive: bool,
}

/// Methods of the common request, and whether they are idempotent. Source: RFC 9110 section 9.
const METHODS: [(&str, bool); 7] = [
    ("GET", true),
    ("HEAD", true),
    ("POST", false),
    ("PUT", true),
    ("DELETE", true),
    ("OPTIONS", true),
    ("PATCH", false),
];

impl<'h, 'b> Request<'h, 'b> {
    /// Reads the first request in `bytes`; none if they are the beginning of its head.
    pub(crate) fn read(bytes: &'b [u8], room: &'h mut Room<'b>) -> Result<Option<Self>, Odd> {
        // Whether anything may stand before a request line is for others to say.
        if matches!(bytes.first(), Some(b'\r' | b'\n')) {
            return Err(Odd);
        }
        let mut head = httparse::Request::new(&mut []);
        match head.parse_with_uninit_headers(bytes, room) {
            Ok(Status::Complete(length)) => Self::judge(head, bytes, length).map(Some).ok_or(Odd),
            Ok(Status::Partial) => Ok(None),
            Err(_) => Err(Odd),
        }
    }

    fn judge(head: httparse::Request<'h, 'b>, bytes: &'b [u8], head_bytes: usize) -> Option<Self> {
        let is_plain = head.version == Some(1) && every_line_ends_properly(&bytes[..head_bytes]);
        if !is_plain {
            return None;
        }
        Self::of(Version::HTTP_11, head.method?, head.path?, head.headers, head_bytes)
    }

    /// One with these `fields`, which are well formed, the host among them; none if it is not common.
    pub(crate) fn of(
        version: Version,
        method: &'b str,
        target: &'b str,
        fields: &'h [Header<'b>],
        head_bytes: usize,
    ) -> Option<Self> {
        if !METHODS.iter().any(|(known, _)| *known == method) || !is_path(target) {
            return None;
        }
        let (mut host, mut length, mut connection) = (None, None, None);
        let (mut is_chunked, mut is_awaited) = (false, false);
        let mut kinds = [Kind::Plain; FIELDS];
        for (field, kind) in fields.iter().zip(&mut kinds) {
            *kind = Kind::of(field.name);
            match kind {
                Kind::Odd => return None,
                Kind::Host if host.replace(Host::parse(field.value).ok()?).is_some() => return None,
                Kind::Length if length.replace(number(field.value)?).is_some() => return None,
                Kind::Connection if connection.replace(is_kept(field.value)?).is_some() => return None,
                Kind::Encoding if !is_once(&mut is_chunked, field.value, b"chunked") => return None,
                Kind::Expect if !is_once(&mut is_awaited, field.value, b"100-continue") => return None,
                _ => {}
            }
        }
        if is_chunked && (length.is_some() || version != Version::HTTP_11) {
            return None;
        }
        let request = Self {
            version,
            method,
            target,
            fields,
            kinds,
            host: host?,
            head_bytes,
            body_bytes: length.unwrap_or(0),
            is_chunked,
            is_awaited,
            keeps_alive: connection.unwrap_or(true),
        };
        (!circle::is_circle(request.values(Kind::Via))).then_some(request)
    }

    /// Whether it asks for a head only.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Whether sending it twice is the same as once.
    pub(crate) fn is_idempotent(&self) -> bool {
        METHODS.iter().any(|(method, is_idempotent)| *method == self.method && *is_idempotent)
    }

    /// All fields and what they are.
    pub(crate) fn fields(&self) -> impl DoubleEndedIterator<Item = (Kind, &Header<'b>)> {
        let kinds = self.kinds[..self.fields.len()].iter().copied();
        kinds.zip(self.fields)
    }

    /// The values of all fields of a kind.
    pub(crate) fn values(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        let found = self.fields().filter(move |(found, _)| *found == kind);
        found.map(|(_, field)| field.value)
    }
}

/// The values of all fields `name` in `head`, which has been read before.
pub(crate) fn values<'b>(head: &'b [u8], name: &'static str) -> impl Iterator<Item = &'b [u8]> {
    let mut room = [httparse::EMPTY_HEADER; FIELDS + OWN_FIELDS];
    let mut read = httparse::Request::new(&mut room);
    let count = read.parse(head).map_or(0, |_| read.headers.len());
    let fields = room.into_iter().take(count);
    fields.filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// The reader of heads takes lone line feeds as well.
fn every_line_ends_properly(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).all(|at| at > 0 && head[at - 1] == b'\r')
}

/// Whether it is a path of characters that no reader takes for something else. Source: RFC 3986 section 3.3 and 3.4.
fn is_path(target: &str) -> bool {
    let is_plain = |byte: &u8| PATH[usize::from(*byte)];
    target.starts_with('/') && !target.starts_with("//") && target.as_bytes().iter().all(is_plain)
}

const PATH: [bool; 256] = {
    let (mut table, plain) = ([false; 256], b"/?-._~!$&'()*+,;=:@%");
    let mut at = 0;
    while at < plain.len() {
        table[plain[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 128_u8 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = true;
        }
        byte += 1;
    }
    table
};

/// A length: digits alone, few enough to fit.
fn number(value: &[u8]) -> Option<u64> {
    let is_plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    is_plain.then(|| value.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// Whether `value` is what it may be, and comes for the first time; notes that it has come.
fn is_once(has_come: &mut bool, value: &[u8], only: &[u8]) -> bool {
    !std::mem::replace(has_come, true) && value.eq_ignore_ascii_case(only)
}

/// What a `Connection` of one plain option says.
fn is_kept(value: &[u8]) -> Option<bool> {
    match value.len() {
        10 if value.eq_ignore_ascii_case(b"keep-alive") => Some(true),
        5 if value.eq_ignore_ascii_case(b"close") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
