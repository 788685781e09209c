//! A stream that gathers what is written until it is told to send it: many frames make one record of TLS and one call.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is gathered: two full records of TLS.
const LIMIT: usize = 32 * 1024;

/// A stream, of which the library holds one half and the session the other: it alone says when to send.
pub(super) struct Gathered<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    stream: S,
    /// What has been written and not sent. Takes no memory while nothing is.
    waiting: Vec<u8>,
    /// How much of that the stream has taken.
    taken: usize,
}

impl<S> Gathered<S> {
    /// Over `stream`.
    pub(super) fn new(stream: S) -> Self {
        Self(Arc::new(Mutex::new(Inner { stream, waiting: Vec::new(), taken: 0 })))
    }

    /// The other half.
    pub(super) fn twin(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// The content, also after a panic elsewhere: the connection ends with its task.
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Sends all that was gathered.
    pub(super) fn poll_send(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().poll_send(context)
    }
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.waiting.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.taken += count,
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        (self.waiting, self.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.waiting.len() >= LIMIT {
            ready!(self.poll_send(context))?;
        }
        if self.waiting.is_empty() {
            self.waiting.reserve_exact(LIMIT);
        }
        Poll::Ready(Ok(LIMIT - self.waiting.len()))
    }

    fn gather(&mut self, bytes: &[u8], room: usize) -> usize {
        let count = bytes.len().min(room);
        self.waiting.extend_from_slice(&bytes[..count]);
        count
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.lock().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        let room = ready!(inner.poll_room(context))?;
        let count = slices.iter().fold(0, |count, bytes| count + inner.gather(bytes, room - count));
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The library flushes after every frame; the session sends when nothing more comes.
    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        ready!(inner.poll_send(context))?;
        Pin::new(&mut inner.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_is_written_in_pieces_comes_in_one_when_it_is_told_to() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut stream = Gathered::new(server);
        let twin = stream.twin();
        stream.write_all(b"one ").await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(b"two").await.unwrap();
        let mut bytes = [0; 64];
        tokio::select! {
            biased;
            read = client.read(&mut bytes) => panic!("{read:?}"),
            () = tokio::task::yield_now() => {}
        }
        poll_fn(|context| twin.poll_send(context)).await.unwrap();
        let count = client.read(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..count], b"one two");
    }

    #[tokio::test]
    async fn more_than_it_gathers_waits_for_the_reader() {
        let (mut client, server) = tokio::io::duplex(1024);
        let mut stream = Gathered::new(server);
        let all = vec![b'x'; 3 * LIMIT];
        let sent = tokio::spawn(async move {
            stream.write_all(&all).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!sent.is_finished());
        let mut read = Vec::new();
        client.read_to_end(&mut read).await.unwrap();
        sent.await.unwrap();
        assert_eq!(read.len(), 3 * LIMIT);
    }
}
