//! A client's connection as this path uses it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;

use crate::socket::Socket;

/// A client's connection.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin {
    /// Whether whoever waits for the client is woken when it goes on or leaves. Waiting has it watched.
    fn is_watched(&self) -> bool;

    /// Says what must be said before the connection is closed.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Line for Socket {
    fn is_watched(&self) -> bool {
        Socket::is_watched(self)
    }

    /// To close it says all.
    fn poll_end(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Line for TlsStream<Socket> {
    fn is_watched(&self) -> bool {
        self.get_ref().0.is_watched()
    }

    /// Without this a client could not tell the end from a connection that somebody cut. Source: RFC 8446 section 6.1.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().1.send_close_notify();
        Pin::new(self).poll_flush(context)
    }
}
