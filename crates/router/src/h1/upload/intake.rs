//! What has come of a body, in the form in which its app gets it.
//!
//! A body of known length goes on as it is. One in chunks is cut anew, so that nothing but data gets through: no
//! extensions, no trailers, no spelling that two readers could take for two things.

use std::io::Write;
use std::ops::Range;

use crate::h1::buffer::{Buffer, Text};
use crate::h1::chunks::{BadChunk, Chunks, Part};

/// What has come of a body and not gone on.
pub(in crate::h1) struct Intake {
    rest: Rest,
    /// How much of what has come is ready to go on as it is.
    ready: usize,
    /// What is ready to go on in a form of its own, and how much of that has gone.
    framed: Text,
    gone: usize,
}

/// What is still to come.
enum Rest {
    Length(u64),
    Chunked(Chunks),
}

impl Intake {
    /// Of a body of this length, of which nothing has come.
    pub(in crate::h1) fn measured(length: u64) -> Self {
        Self { rest: Rest::Length(length), ready: 0, framed: Text::new(), gone: 0 }
    }

    /// The same of one in chunks.
    pub(in crate::h1) fn chunked() -> Self {
        Self { rest: Rest::Chunked(Chunks::new()), ..Self::measured(0) }
    }

    /// Whether all of it has come.
    pub(in crate::h1) fn is_whole(&self) -> bool {
        match &self.rest {
            Rest::Length(left) => *left == 0,
            Rest::Chunked(chunks) => chunks.is_done(),
        }
    }

    /// Whether nothing is ready.
    pub(in crate::h1) fn is_empty(&self) -> bool {
        self.ready == 0 && self.framed.is_empty()
    }

    /// What is ready, of a body that arrives in `incoming`.
    pub(in crate::h1) fn piece<'a>(&'a self, incoming: &'a Option<Buffer>) -> &'a [u8] {
        match (incoming, self.ready) {
            (Some(incoming), 1..) => &incoming.filled()[..self.ready],
            _ => &self.framed[self.gone..],
        }
    }

    /// The first `count` bytes of that have gone.
    pub(in crate::h1) fn advance(&mut self, incoming: &mut Option<Buffer>, count: usize) {
        if self.ready > 0 {
            self.ready -= count;
            consume(incoming, count);
            return;
        }
        self.gone += count;
        if self.gone == self.framed.len() {
            self.framed.clear();
            self.gone = 0;
        }
    }

    /// Makes ready what is `incoming`; how much of that is data. Must be empty.
    pub(in crate::h1) fn take_in(&mut self, incoming: &mut Option<Buffer>) -> Result<u64, BadChunk> {
        let Some(arrived) = incoming else { return Ok(0) };
        match &mut self.rest {
            Rest::Length(left) => {
                let arrived = arrived.filled().len();
                self.ready = usize::try_from(*left).map_or(arrived, |left| left.min(arrived));
                *left -= self.ready as u64;
                Ok(self.ready as u64)
            }
            Rest::Chunked(chunks) => {
                let mut places = Vec::new();
                let take = |part| {
                    if let Part::Data(place) = part {
                        places.push(place);
                    }
                };
                let count = chunks.read(arrived.filled(), take)?;
                let length = put_chunk(&mut self.framed, arrived.filled(), &places);
                if chunks.is_done() {
                    self.framed.extend_from_slice(b"0\r\n\r\n");
                }
                consume(incoming, count);
                Ok(length)
            }
        }
    }
}

/// Takes `count` bytes out of `incoming`; memory in which nothing is goes back.
pub(in crate::h1) fn consume(incoming: &mut Option<Buffer>, count: usize) {
    incoming.iter_mut().for_each(|incoming| incoming.consume(count));
    incoming.take_if(|incoming| incoming.is_empty());
}

/// Makes one chunk of what is at `places` in `bytes`; how long it is.
fn put_chunk(out: &mut Text, bytes: &[u8], places: &[Range<usize>]) -> u64 {
    let length: usize = places.iter().map(Range::len).sum();
    // An empty one would be the last.
    if length > 0 {
        // Writing to memory cannot fail.
        let _ = write!(**out, "{length:x}\r\n");
        places.iter().for_each(|place| out.extend_from_slice(&bytes[place.clone()]));
        out.extend_from_slice(b"\r\n");
    }
    length as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    /// What the app gets of a body that comes in pieces of `size`, and what follows it; none if it does not end.
    #[track_caller]
    fn check(mut intake: Intake, text: &str, size: usize, expected: Option<(&str, &str)>) {
        let (mut incoming, mut given, mut rest) = (None, Vec::new(), text.as_bytes());
        while !intake.is_whole() && !rest.is_empty() {
            let (mut piece, left) = rest.split_at(size.min(rest.len()));
            rest = left;
            let mut buffer = Buffer::small();
            let filled = buffer.poll_fill(&mut Context::from_waker(Waker::noop()), &mut piece);
            assert!(matches!(filled, Poll::Ready(Ok(1..))));
            incoming = Some(buffer);
            intake.take_in(&mut incoming).unwrap();
            while !intake.is_empty() {
                given.push(intake.piece(&incoming)[0]);
                intake.advance(&mut incoming, 1);
            }
        }
        let after = incoming.map(|incoming| incoming.filled().to_vec()).unwrap_or_default();
        let seen = intake.is_whole().then(|| (given, [&after, rest].concat()));
        let expected = expected.map(|(given, after)| (given.as_bytes().to_vec(), after.as_bytes().to_vec()));
        assert_eq!(seen, expected, "{text:?} in pieces of {size}");
    }

    #[test]
    fn a_body_of_known_length_goes_on_as_it_is() {
        for size in [1, 3, 7, 100] {
            check(Intake::measured(5), "helloGET /", size, Some(("hello", "GET /")));
            check(Intake::measured(11), "helloGET /", size, None);
        }
    }

    #[test]
    fn chunks_are_cut_anew() {
        let text = "005;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\nGET /";
        let after = "GET /";
        check(Intake::chunked(), text, 100, Some(("6\r\nhello!\r\n0\r\n\r\n", after)));
        check(Intake::chunked(), text, 11, Some(("2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n", after)));
        check(Intake::chunked(), &text[..30], 100, None);
        assert!(Intake::chunked().is_empty() && !Intake::chunked().is_whole());
    }
}
