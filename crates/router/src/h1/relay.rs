//! An answer's body on its way to the client.

use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::task::{Context, Poll};

use crate::h1::body::{Body, Unfinished};
use crate::h1::buffer::{Buffer, Text};
use crate::h1::line::Line;
use crate::h1::session::Session;

/// A body that is copied to the end of its head: to send one piece costs the system less than two, by more than that.
const SMALL_BYTES: usize = 4 * 1024;

/// An answer's body.
pub(super) struct Relay {
    /// What comes.
    pub(super) body: Body,
}

/// Why an answer broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// By its client.
    #[error("the client left")]
    Client(#[source] io::Error),
    /// By its app.
    #[error(transparent)]
    App(#[from] Unfinished),
    /// By what compresses it.
    #[error("failed to compress it")]
    Encoder(#[source] io::Error),
}

impl Relay {
    /// Sends `head`, if any, and what of the body `buffer` holds, then all that is still to come.
    pub(super) async fn run<S: Line>(
        mut self,
        session: &mut Session<'_, S>,
        mut head: Text,
        buffer: Buffer,
        sent: &mut u64,
    ) -> Result<(), Broken> {
        let count = self.body.take_in(buffer.filled(), |_| {})?;
        let mut bytes = &buffer.filled()[..count];
        if count <= SMALL_BYTES && !self.body.is_unbounded() {
            head.extend_from_slice(std::mem::take(&mut bytes));
        }
        self.send(session, &head, bytes).await?;
        *sent += count as u64;
        drop((head, buffer));
        while !self.body.is_over() {
            let mut buffer = None;
            let arrived = poll_fn(|context| self.poll_read(context, session, &mut buffer)).await?;
            let Some(buffer) = buffer.filter(|_| arrived > 0) else {
                self.body.end()?;
                self.send(session, b"", b"").await?;
                break;
            };
            let count = self.body.take_in(buffer.filled(), |_| {})?;
            self.send(session, b"", &buffer.filled()[..count]).await?;
            *sent += count as u64;
        }
        self.settle(session).await;
        Ok(())
    }

    /// The client has all of the answer: what it still sends goes on for as long as the app takes it.
    pub(super) async fn settle<S: Line>(mut self, session: &mut Session<'_, S>) {
        if let Some(wire) = self.body.wire()
            && session.send_rest(wire).await
        {
            self.body.give_back();
        }
    }

    /// Sends a part of the answer, in a form that shows the client where it ends.
    async fn send<S: Line>(
        &mut self,
        session: &mut Session<'_, S>,
        head: &[u8],
        body: &[u8],
    ) -> Result<(), Broken> {
        if !self.body.is_unbounded() {
            return self.send_parts(session, &mut [head, body].map(IoSlice::new)).await;
        }
        if body.is_empty() {
            let last: &[u8] = if self.body.is_over() { b"0\r\n\r\n" } else { b"" };
            return self.send_parts(session, &mut [head, last].map(IoSlice::new)).await;
        }
        let mut size = Text::new();
        // Writing to memory cannot fail.
        let _ = write!(*size, "{:x}\r\n", body.len());
        self.send_parts(session, &mut [head, &size, body, b"\r\n"].map(IoSlice::new)).await
    }

    /// Sends all of `parts`.
    pub(super) async fn send_parts<S: Line>(
        &mut self,
        session: &mut Session<'_, S>,
        parts: &mut [IoSlice<'_>],
    ) -> Result<(), Broken> {
        session.send(parts, self.body.wire()).await.map_err(Broken::Client)
    }

    /// Reads into `buffer` what the app sends; 0 at the end of its connection.
    pub(super) fn poll_read<S: Line>(
        &mut self,
        context: &mut Context<'_>,
        session: &mut Session<'_, S>,
        buffer: &mut Option<Buffer>,
    ) -> Poll<Result<usize, Broken>> {
        let mut arriving = Buffer::large();
        let polled = self.body.poll_fill(context, &mut arriving);
        *buffer = Some(arriving).filter(|arriving| !arriving.is_empty());
        if polled.is_pending() && session.is_left(context, self.body.wire()) {
            return Poll::Ready(Err(Broken::Client(io::ErrorKind::BrokenPipe.into())));
        }
        if polled.is_pending() && session.pulse.is_overdue(session.shared) {
            return Poll::Ready(Err(Unfinished::Broken(io::ErrorKind::TimedOut.into()).into()));
        }
        polled.map_err(Broken::from)
    }
}
