//! Follows how requests follow each other on a connection, and finds those whose end could be read in two ways.
//!
//! Where one request ends and the next begins is what request smuggling attacks. The HTTP library accepts, and
//! silently repairs, some heads that another reader in front of or behind this router may read differently; this
//! reads the same bytes more strictly and says which request is at fault. Source: RFC 9112 sections 2.2, 3.2, 5 and 6.

use std::fmt;

/// The longest line whose parts are put together: the library refuses longer heads, whatever the settings.
const LONGEST_LINE: usize = 64 * 1024;

/// The first line that a client sends who speaks HTTP/2 from the start; none of HTTP/1. Source: RFC 9113 section 3.4.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0";

/// Why a request is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A line ends without a carriage return.
    BareLineFeed,
    /// A field goes on in a second line.
    FoldedField,
    /// A line in the head is not a field.
    NotAField,
    /// A target with a fragment.
    Fragment,
    /// Both lengths at once.
    LengthAndEncoding,
    /// Not one plain number.
    BadLength,
    /// Given twice, even if alike.
    RepeatedLength,
    /// Anything else than one `chunked` in HTTP/1.1.
    BadEncoding,
    /// A coding that is not known here, and `chunked` after it: that its end is clear makes it no better.
    UnknownCoding,
    /// HTTP/1.1 without `Host`.
    NoHost,
    /// More than one `Host`.
    RepeatedHost,
    /// A chunk without a length.
    BadChunk,
    /// A line without an end.
    TooLong,
    /// HTTP/2 with a `Host` that is not its authority.
    OtherHost,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BareLineFeed => "a line of its head ends without a carriage return",
            Self::FoldedField => "a field of its head is folded over two lines",
            Self::NotAField => "a line of its head is not a field",
            Self::Fragment => "its target has a fragment",
            Self::LengthAndEncoding => "it has both Content-Length and Transfer-Encoding",
            Self::BadLength => "its Content-Length is not a number",
            Self::RepeatedLength => "it has more than one Content-Length",
            Self::BadEncoding => "its Transfer-Encoding is not just chunked",
            Self::UnknownCoding => "its Transfer-Encoding has a coding that this router does not know",
            Self::NoHost => "it names no Host",
            Self::RepeatedHost => "it has more than one Host",
            Self::BadChunk => "a chunk of its body has no length",
            Self::TooLong => "a line of it is too long",
            Self::OtherHost => "its Host is not its authority",
        })
    }
}

/// Reads along with a stream of requests.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    head: Head,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    heads: u64,
    fault: Option<(u64, Fault)>,
    bare_from: Option<u64>,
    is_http_2: bool,
    /// Whether it is HTTP/1, whatever it begins with.
    is_http_1: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    RequestLine,
    Fields,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// After a fault, or no longer HTTP: nothing is read any more.
    Blind,
}

#[derive(Debug, Default)]
struct Head {
    is_http_10: bool,
    length: Option<u64>,
    is_chunked: bool,
    has_host: bool,
}

impl Framing {
    /// Of a stream that is known to be HTTP/1: in it, what HTTP/2 begins with is a request like any other, and none that
    /// is well formed.
    pub(crate) fn http_1() -> Self {
        Self { is_http_1: true, ..Self::default() }
    }

    /// Reads on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Blind => return,
                State::Body(left) => self.skip(bytes, left, State::RequestLine, State::Body),
                State::Chunk(left) => self.skip(bytes, left, State::ChunkEnd, State::Chunk),
                _ => self.feed_line(bytes),
            };
        }
    }

    /// The first request at fault, counted from 1, and its fault. Every later one is at fault too.
    pub(crate) fn fault(&self) -> Option<(u64, Fault)> {
        self.fault
    }

    /// The first request, counted from 1, with a line in its head that ends without a carriage return: a fault that an app
    /// may excuse, and the only one after which is read on.
    pub(crate) fn bare_from(&self) -> Option<u64> {
        self.bare_from
    }

    /// Whether it is no HTTP/1 at all: it begins as HTTP/2 does. Nothing of that is judged.
    pub(crate) fn is_http_2(&self) -> bool {
        self.is_http_2
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn is_in_head(&self) -> bool {
        self.state == State::Fields || (self.state == State::RequestLine && !self.partial.is_empty())
    }

    fn skip<'a>(&mut self, bytes: &'a [u8], left: u64, next: State, same: fn(u64) -> State) -> &'a [u8] {
        let available = bytes.len() as u64;
        if available < left {
            self.state = same(left - available);
            return &[];
        }
        self.state = next;
        let (_, rest) = bytes.split_at(usize::try_from(left).unwrap_or(bytes.len()));
        rest
    }

    fn feed_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.keep(bytes);
            return &[];
        };
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        let judged = if self.partial.is_empty() {
            self.judge_line(line)
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(line);
            self.judge_line(&whole)
        };
        if let Err(fault) = judged {
            self.give_up(fault);
        }
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        match self.partial.len() + bytes.len() > LONGEST_LINE {
            true => self.give_up(Fault::TooLong),
            false => self.partial.extend_from_slice(bytes),
        }
    }

    fn give_up(&mut self, fault: Fault) {
        self.fault = Some((self.heads.max(1), fault));
        self.state = State::Blind;
        self.partial = Vec::new();
    }

    fn judge_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        // An empty first line is left over from old clients; whether it may be there is the library's to say.
        if self.state == State::RequestLine && !matches!(line, b"" | b"\r") {
            self.heads += 1;
        }
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if matches!(self.state, State::RequestLine | State::Fields) => {
                self.bare_from.get_or_insert(self.heads.max(1));
                line
            }
            None => return Err(Fault::BareLineFeed),
        };
        match self.state {
            State::RequestLine if line.is_empty() => Ok(()),
            State::RequestLine if line == HTTP_2 && self.heads == 1 && !self.is_http_1 => {
                self.is_http_2 = true;
                self.go(State::Blind)
            }
            State::RequestLine if has_fragment(line) => Err(Fault::Fragment),
            State::RequestLine => {
                self.head = Head { is_http_10: line.ends_with(b" HTTP/1.0"), ..Head::default() };
                self.state = State::Fields;
                Ok(())
            }
            State::Fields if line.is_empty() => self.end_head(),
            State::Fields => self.head.field(line),
            State::ChunkSize => self.begin_chunk(line),
            State::ChunkEnd if line.is_empty() => self.go(State::ChunkSize),
            State::ChunkEnd => Err(Fault::BadChunk),
            State::Trailers if line.is_empty() => self.go(State::RequestLine),
            State::Trailers => split(line).map(|_| ()),
            State::Body(_) | State::Chunk(_) | State::Blind => Ok(()),
        }
    }

    fn go(&mut self, state: State) -> Result<(), Fault> {
        self.state = state;
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Fault> {
        let head = &self.head;
        if !head.has_host && !head.is_http_10 {
            return Err(Fault::NoHost);
        }
        self.state = match (head.is_chunked, head.length) {
            (true, Some(_)) => return Err(Fault::LengthAndEncoding),
            (true, None) if head.is_http_10 => return Err(Fault::BadEncoding),
            (true, None) => State::ChunkSize,
            (false, Some(length)) if length > 0 => State::Body(length),
            (false, _) => State::RequestLine,
        };
        Ok(())
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), Fault> {
        let end = line.iter().position(|byte| matches!(byte, b';' | b' ' | b'\t')).unwrap_or(line.len());
        let (digits, rest) = line.split_at(end);
        // Space stands before an extension only. Source: RFC 9112 section 7.1.1.
        let is_extension = rest.is_empty() || rest.trim_ascii_start().starts_with(b";");
        if !is_extension || rest.contains(&b'\r') {
            return Err(Fault::BadChunk);
        }
        let size =
            std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        match size.and_then(|text| u64::from_str_radix(text, 16).ok()) {
            Some(0) => self.go(State::Trailers),
            Some(size) => self.go(State::Chunk(size)),
            None => Err(Fault::BadChunk),
        }
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), Fault> {
        let (name, value) = split(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self) -> Result<(), Fault> {
        match std::mem::replace(&mut self.has_host, true) {
            true => Err(Fault::RepeatedHost),
            false => Ok(()),
        }
    }

    fn length(&mut self, value: &[u8]) -> Result<(), Fault> {
        let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let length = digits.and_then(|text| text.parse().ok()).ok_or(Fault::BadLength)?;
        match self.length.replace(length) {
            Some(_) => Err(Fault::RepeatedLength),
            None => Ok(()),
        }
    }

    fn encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        let is_repeated = std::mem::replace(&mut self.is_chunked, true);
        let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
        let mut codings = value.rsplit(|byte| *byte == b',');
        let is_last_chunked = codings.next().is_some_and(is_chunked);
        match (is_last_chunked && !is_repeated, codings.next()) {
            (true, None) => Ok(()),
            // Source: RFC 9112 section 6.1.
            (true, Some(other)) if !is_chunked(other) && !codings.any(is_chunked) => {
                Err(Fault::UnknownCoding)
            }
            _ => Err(Fault::BadEncoding),
        }
    }
}

/// The name and the value of the field in `line`.
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Fault::FoldedField);
    }
    let colon = memchr::memchr(b':', line).ok_or(Fault::NotAField)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || name.ends_with(b" ") || name.ends_with(b"\t") {
        return Err(Fault::NotAField);
    }
    Ok((name, value))
}

/// Whether the target of the request in `line` has a fragment, which the library would cut off.
fn has_fragment(line: &[u8]) -> bool {
    let target = memchr::memchr(b' ', line).map_or(&b""[..], |space| &line[space..]);
    memchr::memchr(b'#', target).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` whole, byte by byte and in threes: the fault must be the same.
    fn check(text: &str, expected: Option<(u64, Fault)>) {
        for size in [text.len(), 1, 3] {
            let mut framing = Framing::default();
            text.as_bytes().chunks(size).for_each(|bytes| framing.feed(bytes));
            let bare = framing.bare_from().map(|number| (number, Fault::BareLineFeed));
            assert_eq!(framing.fault().or(bare), expected, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn plain_requests_follow_each_other() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None);
        check("POST / HTTP/1.1\r\nhost:a\r\nContent-Length: 5\r\n\r\nGET \nGET / HTTP/1.0\r\n\r\n", None);
        check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", None);
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n\n\n\n\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            None,
        );
    }

    #[test]
    fn http_2_is_known_by_its_first_line_and_not_judged() {
        let mut framing = Framing::default();
        framing.feed(b"PRI * HT");
        assert!(!framing.is_http_2());
        framing.feed(b"TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\n\n");
        assert!(framing.is_http_2() && !framing.is_in_head());
        assert_eq!((framing.fault(), framing.bare_from()), (None, None));
        let late = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\n";
        check(late, Some((2, Fault::NoHost)));
        let mut framing = Framing::http_1();
        framing.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        assert!(!framing.is_http_2());
        assert_eq!(framing.fault(), Some((1, Fault::NoHost)));
    }

    #[test]
    fn lengths_that_can_be_read_in_two_ways_are_found() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\n";
        for (fields, fault) in [
            ("Content-Length: 2\r\nTransfer-Encoding: chunked", Fault::LengthAndEncoding),
            ("Transfer-Encoding: chunked\r\nContent-Length: 2", Fault::LengthAndEncoding),
            ("Content-Length: 2\r\nContent-Length: 3", Fault::RepeatedLength),
            ("Content-Length: 2\r\nContent-Length: 2", Fault::RepeatedLength),
            ("Content-Length: 2, 2", Fault::BadLength),
            ("Content-Length: +2", Fault::BadLength),
            ("Content-Length:", Fault::BadLength),
            ("Content-Length: 99999999999999999999", Fault::BadLength),
            ("Content-Length : 2", Fault::NotAField),
            ("Transfer-Encoding: identity, chunked", Fault::UnknownCoding),
            ("Transfer-Encoding: chunked, gzip, chunked", Fault::BadEncoding),
            ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", Fault::BadEncoding),
            ("Transfer-Encoding: xchunked", Fault::BadEncoding),
            ("Transfer-Encoding : chunked", Fault::NotAField),
            ("A: b\r\n c", Fault::FoldedField),
            ("no colon", Fault::NotAField),
            ("Host: b", Fault::RepeatedHost),
        ] {
            check(&format!("{head}{fields}\r\n\r\n"), Some((1, fault)));
        }
    }

    #[test]
    fn every_request_of_a_connection_is_judged() {
        let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        check(&format!("{good}{good}GET / HTTP/1.1\r\n\r\n"), Some((3, Fault::NoHost)));
        check(&format!("{good}GET / HTTP/1.1\nHost: a\n\n"), Some((2, Fault::BareLineFeed)));
        check("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Some((1, Fault::BadEncoding)));
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            Some((1, Fault::BadChunk)),
        );
    }

    #[test]
    fn long_lines_are_judged_too() {
        let long = "x".repeat(9_000);
        check(&format!("GET /{long} HTTP/1.0\r\nCookie: {long}\r\n\r\n"), None);
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {long}\n\r\n"), Some((1, Fault::BareLineFeed)));
        let length = format!("Content-Length: {}", "0".repeat(300));
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{length}x\r\n\r\n"), Some((1, Fault::BadLength)));
    }

    #[test]
    fn a_head_that_has_begun_is_noticed() {
        let mut framing = Framing::default();
        assert!(!framing.is_in_head());
        framing.feed(b"G");
        assert!(framing.is_in_head());
        framing.feed(b"ET / HTTP/1.1\r\nHost: a\r\n");
        assert!(framing.is_in_head());
        framing.feed(b"\r\n");
        assert!(!framing.is_in_head());
    }
}
