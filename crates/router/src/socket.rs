//! A visitor's connection, which its core's event loop watches only once there is something to wait for.
//!
//! What a visitor asks has mostly arrived before anybody looks, and the answer fits into what the system keeps for the
//! visitor to read. A connection that carries one request is then served without ever being watched, which is the
//! larger part of what the router does for it; and one that another core shall serve leaves no trace on this one.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A visitor's connection.
pub(crate) struct Socket(State);

enum State {
    Unwatched(std::net::TcpStream),
    Watched(TcpStream),
    /// It could not be watched, and is closed.
    Lost,
}

impl Socket {
    /// Over `stream`, which does not block.
    pub(crate) fn new(stream: std::net::TcpStream) -> Self {
        Self(State::Unwatched(stream))
    }

    /// Whether whoever waits for it is woken when it goes on.
    pub(crate) fn is_watched(&self) -> bool {
        !matches!(self.0, State::Unwatched(_))
    }

    /// Has it watched by this thread's event loop, from now on.
    pub(crate) fn watch(&mut self) -> io::Result<&mut TcpStream> {
        if let State::Unwatched(_) = self.0
            && let State::Unwatched(stream) = std::mem::replace(&mut self.0, State::Lost)
        {
            self.0 = State::Watched(TcpStream::from_std(stream)?);
        }
        match &mut self.0 {
            State::Watched(stream) => Ok(stream),
            State::Unwatched(_) | State::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The stream itself, watched.
    pub(crate) fn into_watched(mut self) -> io::Result<TcpStream> {
        self.watch()?;
        match self.0 {
            State::Watched(stream) => Ok(stream),
            State::Unwatched(_) | State::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// What `operation` brings if it need not wait; none if it must, or nobody knows but the event loop.
    fn at_once<T>(
        &mut self,
        operation: impl FnOnce(&mut std::net::TcpStream) -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let State::Unwatched(stream) = &mut self.0 else { return None };
        match operation(stream) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                None
            }
            done => Some(done),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        if let Some(read) = socket.at_once(|stream| stream.read(buffer.initialize_unfilled())) {
            buffer.advance(read?);
            return Poll::Ready(Ok(()));
        }
        Pin::new(socket.watch()?).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        match socket.at_once(|stream| stream.write(bytes)) {
            Some(written) => Poll::Ready(written),
            None => Pin::new(socket.watch()?).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        match socket.at_once(|stream| stream.write_vectored(parts)) {
            Some(written) => Poll::Ready(written),
            None => Pin::new(socket.watch()?).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is held back.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = self.get_mut();
        match socket.at_once(|stream| stream.shutdown(Shutdown::Write)) {
            Some(shut) => Poll::Ready(shut),
            None => Pin::new(socket.watch()?).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair() -> (std::net::TcpStream, Socket) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        (client, Socket::new(accepted))
    }

    #[tokio::test]
    async fn what_need_not_be_waited_for_is_not_watched() {
        let (mut client, mut socket) = pair();
        client.write_all(b"question").unwrap();
        // It may still be on its way.
        while socket.at_once(|stream| stream.peek(&mut [0])).is_none() {
            std::thread::yield_now();
        }
        let mut question = [0; 8];
        socket.read_exact(&mut question).await.unwrap();
        socket.write_all(b"ans").await.unwrap();
        let parts = [IoSlice::new(b"w"), IoSlice::new(b"er")];
        assert_eq!(socket.write_vectored(&parts).await.unwrap(), 3);
        assert!(!socket.is_watched());
        drop(socket);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((&question, answer.as_str()), (b"question", "answer"));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (mut client, mut socket) = pair();
        let reading = async {
            let mut question = [0; 8];
            socket.read_exact(&mut question).await.unwrap();
            question
        };
        let asking = async {
            tokio::task::yield_now().await;
            client.write_all(b"question").unwrap();
        };
        let (question, ()) = tokio::join!(reading, asking);
        assert!(&question == b"question" && socket.is_watched());
    }

    #[tokio::test]
    async fn an_answer_of_any_length_gets_through() {
        const LENGTH: usize = 32 * 1024 * 1024;
        let (mut client, mut socket) = pair();
        let reading = std::thread::spawn(move || {
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).unwrap();
            answer.len()
        });
        socket.write_all(&vec![b'x'; LENGTH]).await.unwrap();
        assert!(socket.is_watched());
        socket.shutdown().await.unwrap();
        assert_eq!(reading.join().unwrap(), LENGTH);
    }
}
