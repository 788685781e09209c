//! Follows a chunked body to its end. Source: RFC 9112 section 7.1.

use std::ops::Range;

/// The longest line of a chunk's size with its extensions, and of a trailer.
const LONGEST_LINE: usize = 4 * 1024;

/// The most that all extensions may have, of which nobody makes any use.
const LONGEST_EXTENSIONS: usize = 16 * 1024;

/// The most that all trailers may have.
const LONGEST_TRAILERS: usize = 16 * 1024;

/// A body that is not chunked as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadChunk;

/// A part of a chunked body without its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Data, at this place among the bytes that were fed.
    Data(Range<usize>),
    /// One byte more of the trailers, which end with an empty line.
    Trailer(u8),
}

/// Where in a chunked body one is.
#[derive(Debug)]
pub(crate) struct Chunks {
    state: State,
    /// Bytes of the present line so far.
    line: usize,
    /// Bytes of all extensions so far.
    extensions: usize,
    /// Bytes of all trailers so far.
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size, which may not be empty.
    Size {
        size: u64,
        has_digits: bool,
    },
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataReturn,
    DataEnd,
    TrailerStart,
    TrailerName,
    Trailer,
    TrailerEnd,
    LastEnd,
    Done,
}

impl State {
    fn is_trailer(self) -> bool {
        use State::{LastEnd, Trailer, TrailerEnd, TrailerName, TrailerStart};
        matches!(self, TrailerStart | TrailerName | Trailer | TrailerEnd | LastEnd)
    }
}

impl Chunks {
    /// At the beginning of a body.
    pub(crate) fn new() -> Self {
        Self { state: State::Size { size: 0, has_digits: false }, line: 0, extensions: 0, trailers: 0 }
    }

    /// Whether the body has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Goes on over `bytes` and tells `take` all parts; how many of them belong to the body, fewer than all only at its end.
    pub(crate) fn read(&mut self, bytes: &[u8], mut take: impl FnMut(Part)) -> Result<usize, BadChunk> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Data { left } = self.state {
                let available = (bytes.len() - at) as u64;
                let taken = left.min(available);
                let start = at;
                at += usize::try_from(taken).map_err(|_| BadChunk)?;
                take(Part::Data(start..at));
                self.state =
                    if taken == left { State::DataReturn } else { State::Data { left: left - taken } };
            } else {
                if self.state.is_trailer() {
                    take(Part::Trailer(bytes[at]));
                }
                self.state = self.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<State, BadChunk> {
        match (self.state, byte) {
            (State::Size { size, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(BadChunk)?;
                let size = size.checked_mul(16).and_then(|size| size.checked_add(u64::from(digit)));
                self.count(State::Size { size: size.ok_or(BadChunk)?, has_digits: true })
            }
            (State::Size { size, has_digits: true }, b';') => self.count(State::Extension { size }),
            (State::Size { size, has_digits: true }, b'\r') => self.begin_line(State::SizeEnd { size }),
            (State::Extension { size }, b'\r') => self.begin_line(State::SizeEnd { size }),
            (State::Extension { .. }, b'\t' | b' '..=b'~') => self.count(self.state),
            (State::SizeEnd { size: 0 }, b'\n') => Ok(State::TrailerStart),
            (State::SizeEnd { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataReturn, b'\r') => Ok(State::DataEnd),
            (State::DataEnd, b'\n') => Ok(State::Size { size: 0, has_digits: false }),
            (State::TrailerStart, b'\r') => Ok(State::LastEnd),
            (State::TrailerStart | State::TrailerName, _) if IS_TOKEN[usize::from(byte)] => {
                self.count(State::TrailerName)
            }
            (State::TrailerName, b':') => self.count(State::Trailer),
            (State::Trailer, b'\r') => {
                self.trailers += self.line;
                self.begin_line(State::TrailerEnd)
            }
            (State::Trailer, b'\t' | b' '..=b'~' | 0x80..) => self.count(State::Trailer),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            (State::LastEnd, b'\n') => Ok(State::Done),
            _ => Err(BadChunk),
        }
    }

    fn count(&mut self, state: State) -> Result<State, BadChunk> {
        self.line += 1;
        self.extensions += usize::from(matches!(state, State::Extension { .. }));
        let is_too_long = self.line > LONGEST_LINE || self.trailers + self.line > LONGEST_TRAILERS;
        if is_too_long || self.extensions > LONGEST_EXTENSIONS { Err(BadChunk) } else { Ok(state) }
    }

    fn begin_line(&mut self, state: State) -> Result<State, BadChunk> {
        self.line = 0;
        Ok(state)
    }
}

/// What names of fields are made of. Source: RFC 9110 section 5.6.2.
const IS_TOKEN: [bool; 256] = {
    let (mut table, marks) = ([false; 256], b"!#$%&'*+-.^_`|~");
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] |= byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` whole, byte by byte and in threes; `expected` is how many bytes belong to the body.
    fn check(text: &str, expected: Result<Option<usize>, BadChunk>) {
        for size in [text.len(), 1, 3] {
            let (mut chunks, mut count, mut result) = (Chunks::new(), 0, Ok(None));
            for bytes in text.as_bytes().chunks(size) {
                match chunks.read(bytes, |_| {}) {
                    Ok(taken) => count += taken,
                    Err(bad) => result = Err(bad),
                }
                if result.is_err() || chunks.is_done() {
                    break;
                }
            }
            if result.is_ok() && chunks.is_done() {
                result = Ok(Some(count));
            }
            assert_eq!(result, expected, "{text:?} in pieces of {size}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_found() {
        check("0\r\n\r\n", Ok(Some(5)));
        check("5\r\nhello\r\n0\r\n\r\nHTTP/1.1", Ok(Some(15)));
        check("A;name=\"x y\"\r\n0123456789\r\n000\r\nEtag: 1\r\nX: y\r\n\r\n", Ok(Some(48)));
        check("1\r\n\n\r\n0\r\n\r\n", Ok(Some(11)));
    }

    #[test]
    fn data_and_trailers_are_told_apart_from_the_marks() {
        let text = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nEtag: 1\r\n\r\nnext";
        for size in [text.len(), 1, 3] {
            let (mut chunks, mut data, mut trailers) = (Chunks::new(), Vec::new(), Vec::new());
            for bytes in text.chunks(size) {
                let take = |part| match part {
                    Part::Data(place) => data.extend_from_slice(&bytes[place]),
                    Part::Trailer(byte) => trailers.push(byte),
                };
                chunks.read(bytes, take).unwrap();
            }
            assert_eq!((&data[..], &trailers[..]), (&b"hello!"[..], &b"Etag: 1\r\n\r\n"[..]), "{size}");
        }
    }

    #[test]
    fn a_body_without_an_end_goes_on() {
        check("5\r\nhel", Ok(None));
        check("5\r\nhello\r\n0\r\n", Ok(None));
        check("0\r\nA: b\r\n", Ok(None));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1;a\nb\r\n",
            "11111111111111111\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\na\nb\r\n\r\n",
            "0\r\n\n",
            "0\r\nno colon\r\n\r\n",
            "0\r\nname\r\n\r\n",
            "0\r\n: b\r\n\r\n",
            "0\r\na : b\r\n\r\n",
        ] {
            check(text, Err(BadChunk));
        }
        check(&format!("1;{}\r\n", "x".repeat(LONGEST_LINE)), Err(BadChunk));
        check(&format!("1;{}\r\na\r\n", "x".repeat(LONGEST_LINE - 2)).repeat(5), Err(BadChunk));
        check(&format!("0\r\n{}", "a: b\r\n".repeat(LONGEST_TRAILERS)), Err(BadChunk));
    }
}
