//! An answer's body on its way from an app that speaks HTTP/1.1 to a client that speaks HTTP/2.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::Response;

use super::alarm::Alarm;
use super::delivery::{Delivery, Undelivered};
use super::outline::trailers;
use crate::clock::Clock;
use crate::endpoint::Flight;
use crate::h1::{Answer, Buffer, Chunks, Extent, Garbled, Part, Wire};

/// An answer's body.
pub(super) struct Relay {
    rest: Rest,
    is_reusable: bool,
    clock: Clock,
    /// None once all has arrived: the wire is back in its pool and the request counted out.
    under_way: Option<(Wire, Flight)>,
}

/// What is still to come.
enum Rest {
    Length(u64),
    Chunked {
        chunks: Chunks,
        /// What follows the last chunk.
        trailers: Vec<u8>,
    },
    /// All until the connection ends.
    Connection,
}

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// By its client.
    #[error(transparent)]
    Client(#[from] Undelivered),
    /// By its app.
    #[error("the app's answer broke off")]
    App(#[from] io::Error),
    /// By its app.
    #[error("the app's answer is not HTTP")]
    Garbled,
}

impl From<Garbled> for Broken {
    fn from(_: Garbled) -> Self {
        Self::Garbled
    }
}

impl Relay {
    /// The body of `answer`, which arrives over `wire`; `flight` counts it.
    pub(super) fn new(answer: &Answer, mut wire: Wire, flight: Flight, clock: Clock) -> Self {
        wire.keep_alive = answer.keep_alive;
        let rest = match answer.extent {
            Extent::Length(length) => Rest::Length(length),
            Extent::Chunked => Rest::Chunked { chunks: Chunks::new(), trailers: Vec::new() },
            Extent::Connection => Rest::Connection,
        };
        Self { rest, is_reusable: answer.is_reusable, clock, under_way: Some((wire, flight)) }
    }

    /// Sends `head`, what of the body `buffer` holds, then all that is still to come, to a client that may take up to
    /// `longest` for a part of it. Says in `sent` how much went.
    pub(super) async fn run(
        mut self,
        head: Response<()>,
        buffer: Buffer,
        respond: &mut SendResponse<Bytes>,
        longest: Duration,
        sent: &mut u64,
    ) -> Result<(), Broken> {
        let data = match self.take_in(buffer.filled()) {
            Ok(data) => data,
            Err(error) => {
                respond.send_reset(Reason::INTERNAL_ERROR);
                return Err(error.into());
            }
        };
        drop(buffer);
        let is_whole = self.is_over() && data.is_empty() && !self.has_trailers();
        let stream = respond.send_response(head, is_whole).map_err(Undelivered::from)?;
        if is_whole {
            return Ok(());
        }
        let mut delivery = Delivery::new(stream, longest);
        let passed = self.pass_on(&mut delivery, data, sent).await;
        if matches!(passed, Err(Broken::App(_) | Broken::Garbled)) {
            delivery.break_off().await;
        }
        passed
    }

    async fn pass_on(&mut self, delivery: &mut Delivery, first: Bytes, sent: &mut u64) -> Result<(), Broken> {
        let mut data = first;
        loop {
            let (is_over, has_trailers) = (self.is_over(), self.has_trailers());
            let count = data.len() as u64;
            let is_last = is_over && !has_trailers;
            if count > 0 || is_last {
                delivery.data(data, is_last).await?;
                *sent += count;
            }
            if is_over {
                return if has_trailers { self.send_trailers(delivery) } else { Ok(()) };
            }
            data = self.read(delivery).await?;
        }
    }

    /// What of the body arrives next; empty at its end, and after marks of chunks alone.
    async fn read(&mut self, delivery: &mut Delivery) -> Result<Bytes, Broken> {
        let (mut buffer, mut alarm) = (None, Alarm::new(delivery.longest()));
        let arrived = poll_fn(|context| {
            let Some((wire, _)) = &mut self.under_way else { return Poll::Ready(Ok(0)) };
            let mut arriving = Buffer::medium();
            let polled = arriving.poll_fill(context, &mut wire.stream);
            buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
            if polled.is_pending() && delivery.is_left(context) {
                return Poll::Ready(Err(Broken::Client(Undelivered::Left)));
            }
            if polled.is_pending() && alarm.is_due(context) {
                return Poll::Ready(Err(Broken::App(io::ErrorKind::TimedOut.into())));
            }
            polled.map_err(Broken::App)
        });
        match (arrived.await?, buffer) {
            (1.., Some(buffer)) => Ok(self.take_in(buffer.filled())?),
            _ => {
                self.end()?;
                Ok(Bytes::new())
            }
        }
    }

    /// Takes note of `bytes` that have arrived; those that are the body's.
    fn take_in(&mut self, bytes: &[u8]) -> Result<Bytes, Garbled> {
        let (data, count, is_done) = match &mut self.rest {
            Rest::Length(left) => {
                let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                (Bytes::copy_from_slice(&bytes[..count]), count, *left == 0)
            }
            Rest::Chunked { chunks, trailers } => {
                let mut data = Vec::new();
                let take = |part| match part {
                    Part::Data(Range { start, end }) => data.extend_from_slice(&bytes[start..end]),
                    Part::Trailer(byte) => trailers.push(byte),
                };
                let count = chunks.read(bytes, take).map_err(|_| Garbled)?;
                (data.into(), count, chunks.is_done())
            }
            Rest::Connection => (Bytes::copy_from_slice(bytes), bytes.len(), false),
        };
        if is_done {
            self.finish(count == bytes.len());
        }
        Ok(data)
    }

    /// Gives back the wire, unless more arrived over it than should.
    fn finish(&mut self, is_clean: bool) {
        if let Some((wire, flight)) = self.under_way.take()
            && self.is_reusable
            && is_clean
        {
            flight.endpoint().wires.put(wire, self.clock.now());
        }
    }

    /// The connection has ended: is that the body's end?
    fn end(&mut self) -> io::Result<()> {
        self.under_way = None;
        match &self.rest {
            Rest::Connection => Ok(()),
            Rest::Length(_) | Rest::Chunked { .. } => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Whether all of it has arrived.
    fn is_over(&self) -> bool {
        self.under_way.is_none()
    }

    fn has_trailers(&self) -> bool {
        // An empty line alone ends a body without any.
        matches!(&self.rest, Rest::Chunked { trailers, .. } if trailers.len() > b"\r\n".len())
    }

    fn send_trailers(&self, delivery: &mut Delivery) -> Result<(), Broken> {
        let Rest::Chunked { trailers: text, .. } = &self.rest else { return Ok(()) };
        Ok(delivery.trailers(trailers(text)?)?)
    }
}
