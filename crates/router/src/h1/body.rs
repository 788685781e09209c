//! An answer's body as it comes from its app: where it ends, and what becomes of its connection then.

use std::io;
use std::task::{Context, Poll};

use crate::clock::Clock;
use crate::endpoint::Flight;
use crate::h1::answer::{Answer, Extent, Garbled};
use crate::h1::buffer::Buffer;
use crate::h1::chunks::{Chunks, Part};
use crate::h1::wire::Wire;

/// An answer's body.
pub(crate) struct Body {
    rest: Rest,
    is_reusable: bool,
    clock: Clock,
    is_over: bool,
    /// Whether the request has been sent whole.
    is_asked: bool,
    /// None once all has gone both ways: the wire is back in its pool and the request counted out.
    under_way: Option<(Wire, Flight)>,
}

/// What is still to come.
enum Rest {
    Length(u64),
    Chunked(Chunks),
    /// All until the connection ends.
    Connection,
}

/// Why a body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfinished {
    /// See there.
    #[error("the app's answer broke off")]
    Broken(#[from] io::Error),
    /// Where it ends cannot be told.
    #[error("the app's answer is not HTTP")]
    Garbled,
}

impl From<Garbled> for Unfinished {
    fn from(_: Garbled) -> Self {
        Self::Garbled
    }
}

impl Body {
    /// That of `answer`, which arrives over `wire`; `flight` counts it. `is_asked`: whether the request has been sent whole.
    pub(crate) fn new(answer: &Answer, mut wire: Wire, flight: Flight, clock: Clock, is_asked: bool) -> Self {
        wire.keep_alive = answer.keep_alive;
        let rest = match answer.extent {
            Extent::Length(length) => Rest::Length(length),
            Extent::Chunked => Rest::Chunked(Chunks::new()),
            Extent::Connection => Rest::Connection,
        };
        let (is_reusable, under_way) = (answer.is_reusable, Some((wire, flight)));
        Self { rest, is_reusable, clock, is_over: false, is_asked, under_way }
    }

    /// Whether all of it has arrived.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What the request is still sent over, if it is.
    pub(crate) fn wire(&mut self) -> Option<&mut Wire> {
        self.under_way.as_mut().map(|(wire, _)| wire)
    }

    /// Whether nothing but the end of its connection shows where it ends.
    pub(crate) fn is_unbounded(&self) -> bool {
        matches!(self.rest, Rest::Connection)
    }

    /// Reads into `buffer` what the app sends; 0 at the end of its connection.
    pub(crate) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut Buffer,
    ) -> Poll<Result<usize, Unfinished>> {
        match &mut self.under_way {
            Some((wire, _)) => buffer.poll_fill(context, &mut wire.stream).map_err(Unfinished::from),
            None => Poll::Ready(Ok(0)),
        }
    }

    /// Takes note of `bytes` that have arrived and tells `take` what they are; how many of them are the body's.
    pub(crate) fn take_in(&mut self, bytes: &[u8], mut take: impl FnMut(Part)) -> Result<usize, Unfinished> {
        let (count, is_done) = match &mut self.rest {
            Rest::Length(left) => {
                let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                take(Part::Data(0..count));
                (count, *left == 0)
            }
            Rest::Chunked(chunks) => {
                let count = chunks.read(bytes, take).map_err(|_| Unfinished::Garbled)?;
                (count, chunks.is_done())
            }
            Rest::Connection => {
                take(Part::Data(0..bytes.len()));
                (bytes.len(), false)
            }
        };
        if is_done {
            self.finish(count == bytes.len());
        }
        Ok(count)
    }

    /// All has arrived; more than that, if it is not `is_clean`.
    fn finish(&mut self, is_clean: bool) {
        self.is_over = true;
        self.is_reusable &= is_clean;
        if self.is_asked {
            self.give_back();
        }
    }

    /// The request has been sent whole as well.
    pub(crate) fn give_back(&mut self) {
        if let Some((wire, flight)) = self.under_way.take()
            && self.is_reusable
        {
            flight.endpoint().wires.put(wire, self.clock.now());
        }
    }

    /// The connection has ended: is that the body's end?
    pub(crate) fn end(&mut self) -> Result<(), Unfinished> {
        (self.is_over, self.under_way) = (true, None);
        match self.rest {
            Rest::Connection => Ok(()),
            Rest::Length(_) | Rest::Chunked(_) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }
}
