//! Sending several pieces as one.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;

/// Why not everything was sent.
pub(crate) enum SendError {
    /// It took too long.
    Overdue,
    /// The connection broke.
    Broken(io::Error),
}

/// Sends all of `parts` over `stream`, unless it `is_overdue` meanwhile; says in `count` how much was taken.
pub(crate) async fn send<W: AsyncWrite + Unpin>(
    stream: &mut W,
    parts: &mut [IoSlice<'_>],
    mut is_overdue: impl FnMut(&mut Context<'_>) -> bool,
    count: &mut usize,
) -> Result<(), SendError> {
    // Leaves out pieces without content: a single one goes a cheaper way.
    let filled = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    let mut parts = &mut parts[..filled];
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        let taken = poll_fn(|context| match poll_write(stream, context, parts) {
            Poll::Pending if is_overdue(context) => Poll::Ready(Err(SendError::Overdue)),
            polled => polled.map_err(SendError::Broken),
        });
        let taken = taken.await?;
        if taken == 0 {
            return Err(SendError::Broken(io::ErrorKind::WriteZero.into()));
        }
        *count += taken;
        IoSlice::advance_slices(&mut parts, taken);
    }
    poll_fn(|context| match Pin::new(&mut *stream).poll_flush(context) {
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
