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
                return self.send(session, b"", b"").await;
            };
            let count = self.body.take_in(buffer.filled(), |_| {})?;
            self.send(session, b"", &buffer.filled()[..count]).await?;
            *sent += count as u64;
        }
        Ok(())
    }

    /// Sends a part of the answer, in a form that shows the client where it ends.
    async fn send<S: Line>(
        &self,
        session: &mut Session<'_, S>,
        head: &[u8],
        body: &[u8],
    ) -> Result<(), Broken> {
        if !self.body.is_unbounded() {
            return session.send(&mut [IoSlice::new(head), IoSlice::new(body)]).await.map_err(Broken::Client);
        }
        if body.is_empty() {
            let last: &[u8] = if self.body.is_over() { b"0\r\n\r\n" } else { b"" };
            return session.send(&mut [IoSlice::new(head), IoSlice::new(last)]).await.map_err(Broken::Client);
        }
        let mut size = Text::new();
        // Writing to memory cannot fail.
        let _ = write!(*size, "{:x}\r\n", body.len());
        let parts = [head, &size, body, b"\r\n"];
        session.send(&mut parts.map(IoSlice::new)).await.map_err(Broken::Client)
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
        if polled.is_pending() && session.is_client_gone(context) {
            return Poll::Ready(Err(Broken::Client(io::ErrorKind::BrokenPipe.into())));
        }
        if polled.is_pending() && session.pulse.is_overdue(session.shared) {
            return Poll::Ready(Err(Unfinished::Broken(io::ErrorKind::TimedOut.into()).into()));
        }
        polled.map_err(Broken::from)
    }
}
