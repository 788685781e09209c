//! Follows how requests follow each other on a connection, and finds those whose end could be read in two ways.
//!
//! Where one request ends and the next begins is what request smuggling attacks. The HTTP library accepts, and
//! silently repairs, some heads that another reader in front of or behind this router may read differently; this
//! reads the same bytes more strictly and says which request is at fault. Source: RFC 9112 sections 2.2, 3.2, 5 and 6.

mod fault;
mod head;

pub(crate) use fault::Fault;

use head::{Head, split};

/// The longest line whose parts are put together: the library refuses longer heads, whatever the settings.
const LONGEST_LINE: usize = 64 * 1024;

/// The first line that a client sends who speaks HTTP/2 from the start; none of HTTP/1. Source: RFC 9113 section 3.4.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0";

/// Reads along with a stream of requests.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    head: Head,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
    /// Whether an empty line came where a request is to begin.
    is_preceded: bool,
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

    /// Whether a head has begun and not ended; it begins with the empty lines before it, of which there might be no end.
    pub(crate) fn is_in_head(&self) -> bool {
        let has_begun = self.is_preceded || !self.partial.is_empty();
        self.state == State::Fields || (self.state == State::RequestLine && has_begun)
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
            State::RequestLine if line.is_empty() => {
                self.is_preceded = true;
                Ok(())
            }
            State::RequestLine if line == HTTP_2 && self.heads == 1 && !self.is_http_1 => {
                self.is_http_2 = true;
                self.go(State::Blind)
            }
            State::RequestLine if has_fragment(line) => Err(Fault::Fragment),
            State::RequestLine => {
                self.head = Head { is_http_10: line.ends_with(b" HTTP/1.0"), ..Head::default() };
                (self.state, self.is_preceded) = (State::Fields, false);
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

/// Whether the target of the request in `line` has a fragment, which the library would cut off.
fn has_fragment(line: &[u8]) -> bool {
    let target = memchr::memchr(b' ', line).map_or(&b""[..], |space| &line[space..]);
    memchr::memchr(b'#', target).is_some()
}

#[cfg(test)]
mod tests;
