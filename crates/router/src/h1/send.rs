//! Sending several pieces as one.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Why not everything was sent.
pub(crate) enum SendError {
    /// It took too long.
    Overdue,
    /// The connection broke.
    Broken(io::Error),
}

/// Pieces of which a part may have gone.
pub(crate) struct Sending<'p, 'b> {
    parts: &'p mut [IoSlice<'b>],
}

impl<'p, 'b> Sending<'p, 'b> {
    /// Of all of `parts`.
    pub(crate) fn new(parts: &'p mut [IoSlice<'b>]) -> Self {
        // Leaves out pieces without content: a single one goes a cheaper way.
        let filled = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
        let mut parts = &mut parts[..filled];
        IoSlice::advance_slices(&mut parts, 0);
        Self { parts }
    }

    /// Sends what is left over `stream`; says in `count` how much was taken.
    pub(crate) fn poll<W: AsyncWrite + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
        count: &mut usize,
    ) -> Poll<io::Result<()>> {
        while !self.parts.is_empty() {
            let taken = ready!(poll_write(stream, context, self.parts))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *count += taken;
            IoSlice::advance_slices(&mut self.parts, taken);
        }
        Pin::new(stream).poll_flush(context)
    }
}

/// Sends all of `parts` over `stream`, unless it `is_overdue` meanwhile; says in `count` how much was taken.
pub(crate) async fn send<W: AsyncWrite + Unpin>(
    stream: &mut W,
    parts: &mut [IoSlice<'_>],
    mut is_overdue: impl FnMut(&mut Context<'_>) -> bool,
    count: &mut usize,
) -> Result<(), SendError> {
    let mut sending = Sending::new(parts);
    poll_fn(|context| match sending.poll(context, stream, count) {
        Poll::Pending if is_overdue(context) => Poll::Ready(Err(SendError::Overdue)),
        polled => polled.map_err(SendError::Broken),
    })
    .await
}

fn poll_write<W: AsyncWrite + Unpin>(
    stream: &mut W,
    context: &mut Context<'_>,
    parts: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match parts {
        // Cheaper than a list of one.
        [part] => Pin::new(stream).poll_write(context, part),
        parts => Pin::new(stream).poll_write_vectored(context, parts),
    }
}
