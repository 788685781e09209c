//! A request that has turned into bytes both ways. Source: RFC 8441 section 5.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is written at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// Bytes both ways over one stream of a connection. The stream is reset when it is dropped before both ends closed it.
pub(crate) struct Tube {
    sending: SendStream<Bytes>,
    receiving: RecvStream,
    /// What has arrived and was not read.
    arrived: Bytes,
    is_shut: bool,
}

impl Tube {
    /// Of both halves of a stream.
    pub(super) fn new(sending: SendStream<Bytes>, receiving: RecvStream) -> Self {
        Self { sending, receiving, arrived: Bytes::new(), is_shut: false }
    }

    /// How much can be written; an error if nothing can be any more.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match self.sending.capacity() {
                0 => match ready!(self.sending.poll_capacity(context)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                },
                room => return Poll::Ready(Ok(room)),
            }
        }
    }
}

impl AsyncRead for Tube {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.arrived.is_empty() {
            match ready!(self.receiving.poll_data(context)) {
                Some(Ok(bytes)) => self.arrived = bytes,
                Some(Err(error)) if is_end(&error) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(broken(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.arrived.len().min(buffer.remaining());
        buffer.put_slice(&self.arrived[..count]);
        self.arrived.advance(count);
        // It fails only for more than what came.
        let _ = self.receiving.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tube {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Not before there is something to write: what is reserved is taken from other streams.
        self.sending.reserve_capacity(bytes.len().min(PIECE_BYTES));
        let room = ready!(self.poll_room(context))?;
        let count = bytes.len().min(room).min(PIECE_BYTES);
        let piece = Bytes::copy_from_slice(&bytes[..count]);
        self.sending.send_data(piece, false).map_err(broken)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_shut, true) {
            self.sending.send_data(Bytes::new(), true).map_err(broken)?;
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether a client ended the stream without a fault.
fn is_end(error: &h2::Error) -> bool {
    matches!(error.reason(), Some(Reason::NO_ERROR | Reason::CANCEL))
}

fn broken(error: h2::Error) -> io::Error {
    if error.is_io() {
        error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    } else {
        io::Error::other(error)
    }
}
