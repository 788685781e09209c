//! A request's body that did not come whole with its head, or comes in chunks, on its way to the app: as fast as the app
//! takes it, with one piece of memory.
//!
//! It moves whenever somebody waits: for the answer's head, for more of its body, for the client to take that. So the two
//! directions never wait for each other.

mod intake;
mod motion;

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::h1::ask::Ask;
use crate::h1::buffer::Buffer;
use crate::h1::line::Line;
use crate::h1::send::{SendError, send};
use crate::h1::wire::Wire;
use crate::page::Failure;
use crate::shared::Shared;
use crate::vigil::Vigil;

pub(super) use intake::Intake;

/// Tells a client to go on. Source: RFC 9110 section 15.2.1.
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The largest body that any container takes in at once.
const SMALL_BYTES: usize = 16 * 1024;

/// A request's body on its way.
pub(super) struct Upload {
    intake: Intake,
    /// How much there may be in all.
    most: u64,
    /// How much has come, without the marks of chunks.
    pub(super) received: u64,
    vigil: Vigil,
    /// Whether the client waits to hear that it is wanted.
    is_awaited: bool,
    /// Whether the client has heard that.
    has_gone_on: bool,
    /// Whether the client may take its time, as the app answers.
    pub(super) is_excused: bool,
    /// Whether a part of it is with the app, so that it cannot be sent again.
    pub(super) is_touched: bool,
    /// Whether the app takes no more of it.
    is_refused: bool,
    is_small: bool,
}

/// Why a body goes no further.
pub(super) enum Stop {
    /// The client is gone.
    Gone,
    /// It is not as it should be.
    Bad(Failure),
}

/// A client that sends a body.
pub(super) struct Sender<'a, S> {
    /// See there.
    pub(super) shared: &'a Shared,
    /// Its connection.
    pub(super) stream: &'a mut S,
    /// What it has sent and nobody has dealt with.
    pub(super) incoming: &'a mut Option<Buffer>,
}

impl Upload {
    /// The body of `ask`, of which nothing has come.
    pub(super) fn new(ask: &Ask) -> Self {
        let intake = match ask.is_chunked {
            true => Intake::chunked(),
            false => Intake::measured(ask.body_bytes as u64),
        };
        Self {
            intake,
            most: ask.most_bytes,
            received: 0,
            vigil: Vigil::default(),
            is_awaited: ask.is_awaited,
            has_gone_on: false,
            is_excused: false,
            is_touched: false,
            is_refused: false,
            is_small: !ask.is_chunked && ask.body_bytes <= SMALL_BYTES,
        }
    }

    /// Takes out of `incoming` the head of `ask`, which it begins with, and what has come of the body.
    pub(super) fn begin(
        &mut self,
        ask: &Ask,
        shared: &Shared,
        incoming: &mut Option<Buffer>,
    ) -> Result<(), Failure> {
        intake::consume(incoming, ask.head_bytes);
        self.take_in(shared, incoming)
    }

    /// Whether all of it has gone to the app.
    pub(super) fn is_sent(&self) -> bool {
        self.intake.is_whole() && self.intake.is_empty()
    }

    /// The client hears that its body is wanted; whether it has not heard so before.
    pub(super) fn go_on(&mut self) -> bool {
        self.is_awaited = false;
        !std::mem::replace(&mut self.has_gone_on, true)
    }

    /// Sends `head` over `wire`, and what has come of the body; says in `count` how much was taken.
    pub(super) async fn start(
        &mut self,
        head: &[u8],
        incoming: &mut Option<Buffer>,
        wire: &mut Wire,
        is_overdue: impl FnMut(&mut Context<'_>) -> bool,
        count: &mut usize,
    ) -> Result<(), SendError> {
        wire.haste.set(self.is_small);
        self.is_refused = false;
        let piece = self.intake.piece(incoming);
        let length = piece.len();
        let sent = send(&mut wire.stream, &mut [head, piece].map(IoSlice::new), is_overdue, count).await;
        self.is_touched |= *count > head.len();
        sent?;
        self.intake.advance(incoming, length);
        Ok(())
    }

    /// Brings what the client sends to `wire`. Ready when all is sent, or the app takes no more.
    pub(super) fn poll<S: Line>(
        &mut self,
        context: &mut Context<'_>,
        sender: Sender<'_, S>,
        wire: &mut Wire,
    ) -> Poll<Result<(), Stop>> {
        let Sender { shared, stream, incoming } = sender;
        loop {
            ready!(self.poll_give(context, incoming, wire));
            if self.is_refused || self.intake.is_whole() {
                return Poll::Ready(Ok(()));
            }
            if incoming.is_none() {
                *incoming = Some(ready!(self.poll_read(context, shared, stream))?);
            }
            self.take_in(shared, incoming).map_err(Stop::Bad)?;
        }
    }

    /// Gives the app what is ready.
    fn poll_give(
        &mut self,
        context: &mut Context<'_>,
        incoming: &mut Option<Buffer>,
        wire: &mut Wire,
    ) -> Poll<()> {
        while !self.is_refused && !self.intake.is_empty() {
            let piece = self.intake.piece(incoming);
            match ready!(Pin::new(&mut wire.stream).poll_write(context, piece)) {
                Ok(count @ 1..) => {
                    self.is_touched = true;
                    self.intake.advance(incoming, count);
                }
                // It may have answered before: whoever waits for that finds out.
                Ok(_) | Err(_) => self.is_refused = true,
            }
        }
        // What fails is noticed by whoever waits for the answer.
        Pin::new(&mut wire.stream).poll_flush(context).map(|_| ())
    }

    /// Reads what the client sends, which is told to go on if it waits for that.
    fn poll_read<S: Line>(
        &mut self,
        context: &mut Context<'_>,
        shared: &Shared,
        stream: &mut S,
    ) -> Poll<Result<Buffer, Stop>> {
        let mut arriving = Buffer::large();
        match arriving.poll_fill(context, stream) {
            Poll::Ready(Ok(1..)) => return Poll::Ready(Ok(arriving)),
            Poll::Ready(Ok(_) | Err(_)) => return Poll::Ready(Err(Stop::Gone)),
            Poll::Pending => drop(arriving),
        }
        if self.is_awaited {
            // Whoever has no room for so little does not listen.
            match ready!(Pin::new(&mut *stream).poll_write(context, GO_ON)) {
                Ok(count) if count == GO_ON.len() => _ = self.go_on(),
                Ok(_) | Err(_) => return Poll::Ready(Err(Stop::Gone)),
            }
        }
        if let Poll::Ready(Err(_)) = Pin::new(stream).poll_flush(context) {
            return Poll::Ready(Err(Stop::Gone));
        }
        ready!(self.vigil.poll_overdue(context, shared, self.is_excused));
        Poll::Ready(Err(Stop::Bad(Failure::SlowBody)))
    }

    /// Makes ready what has come.
    fn take_in(&mut self, shared: &Shared, incoming: &mut Option<Buffer>) -> Result<(), Failure> {
        if incoming.is_none() {
            return Ok(());
        }
        // Whoever sends anything of it does not wait to hear that it is wanted.
        self.is_awaited = false;
        let bytes = self.intake.take_in(incoming).map_err(|_| Failure::BrokenBody)?;
        self.vigil.note(shared, bytes);
        self.received += bytes;
        if self.received > self.most { Err(Failure::TooLarge) } else { Ok(()) }
    }
}
