//! An answer's body on its way to the client, and the end of its connection's use.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::task::{Context, Poll};

use crate::clock::Clock;
use crate::endpoint::Flight;
use crate::h1::answer::{Answer, Extent};
use crate::h1::buffer::{Buffer, Text};
use crate::h1::chunks::{Chunks, Part};
use crate::h1::line::Line;
use crate::h1::session::Session;
use crate::h1::wire::Wire;

/// A body that is copied to the end of its head: to send one piece costs the system less than two, by more than that.
const SMALL_BYTES: usize = 4 * 1024;

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
    Chunked(Chunks),
    /// All until the connection ends, and whether it has.
    Connection {
        has_ended: bool,
    },
}

impl Relay {
    /// The body of `answer`, which arrives over `wire`; `flight` counts it.
    pub(super) fn new(answer: &Answer, mut wire: Wire, flight: Flight, clock: Clock) -> Self {
        wire.keep_alive = answer.keep_alive;
        let rest = match answer.extent {
            Extent::Length(length) => Rest::Length(length),
            Extent::Chunked => Rest::Chunked(Chunks::new()),
            Extent::Connection => Rest::Connection { has_ended: false },
        };
        Self { rest, is_reusable: answer.is_reusable, clock, under_way: Some((wire, flight)) }
    }

    /// Sends `head`, if any, and what of the body `buffer` holds, then all that is still to come.
    pub(super) async fn run<S: Line>(
        mut self,
        session: &mut Session<'_, S>,
        mut head: Text,
        buffer: Buffer,
        sent: &mut u64,
    ) -> io::Result<()> {
        let count = self.take_in(buffer.filled(), |_| {})?;
        let mut body = &buffer.filled()[..count];
        if count <= SMALL_BYTES && !matches!(self.rest, Rest::Connection { .. }) {
            head.extend_from_slice(std::mem::take(&mut body));
        }
        self.send(session, &head, body).await?;
        *sent += count as u64;
        drop((head, buffer));
        while self.under_way.is_some() {
            let mut buffer = None;
            let arrived = poll_fn(|context| self.poll_read(context, session, &mut buffer)).await?;
            let Some(buffer) = buffer.filter(|_| arrived > 0) else {
                self.end()?;
                return self.send(session, b"", b"").await;
            };
            let count = self.take_in(buffer.filled(), |_| {})?;
            self.send(session, b"", &buffer.filled()[..count]).await?;
            *sent += count as u64;
        }
        Ok(())
    }

    /// Whether something is still to come.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Takes note of `bytes` that have arrived and tells `take` what they are; how many of them are the body's.
    pub(super) fn take_in(&mut self, bytes: &[u8], mut take: impl FnMut(Part)) -> io::Result<usize> {
        let (count, is_done) = match &mut self.rest {
            Rest::Length(left) => {
                let count = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= count as u64;
                take(Part::Data(0..count));
                (count, *left == 0)
            }
            Rest::Chunked(chunks) => {
                let count = chunks.read(bytes, take).map_err(|_| io::ErrorKind::InvalidData)?;
                (count, chunks.is_done())
            }
            Rest::Connection { .. } => {
                take(Part::Data(0..bytes.len()));
                (bytes.len(), false)
            }
        };
        if is_done {
            self.finish(count == bytes.len());
        }
        Ok(count)
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
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.under_way = None;
        match &mut self.rest {
            Rest::Connection { has_ended } => {
                *has_ended = true;
                Ok(())
            }
            Rest::Length(_) | Rest::Chunked(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Sends a part of the answer, in a form that shows the client where it ends.
    async fn send<S: Line>(&self, session: &mut Session<'_, S>, head: &[u8], body: &[u8]) -> io::Result<()> {
        let Rest::Connection { has_ended } = self.rest else {
            return session.send(&mut [IoSlice::new(head), IoSlice::new(body)]).await;
        };
        if body.is_empty() {
            let last: &[u8] = if has_ended { b"0\r\n\r\n" } else { b"" };
            return session.send(&mut [IoSlice::new(head), IoSlice::new(last)]).await;
        }
        let mut size = [0; 20];
        let mut room = &mut size[..];
        write!(room, "{:x}\r\n", body.len())?;
        let left = room.len();
        let size = &size[..size.len() - left];
        let parts = [head, size, body, b"\r\n"];
        session.send(&mut parts.map(IoSlice::new)).await
    }

    /// Reads into `buffer` what the app sends; 0 at the end of its connection.
    pub(super) fn poll_read<S: Line>(
        &mut self,
        context: &mut Context<'_>,
        session: &mut Session<'_, S>,
        buffer: &mut Option<Buffer>,
    ) -> Poll<io::Result<usize>> {
        let Some((wire, _)) = &mut self.under_way else { return Poll::Ready(Ok(0)) };
        let mut arriving = Buffer::large();
        let polled = arriving.poll_fill(context, &mut wire.stream);
        *buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
        if polled.is_pending() && session.is_client_gone(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if polled.is_pending() && session.pulse.is_overdue(session.shared) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}
