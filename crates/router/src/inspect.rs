//! A client's connection, with its bytes watched as they pass; some of them may be read again.

mod watch;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::framing::Framing;
use crate::places::Place;
use crate::speech::Speech;

pub(crate) use watch::{Busy, Longest, Watch};

/// A client's connection.
pub(crate) struct Inspected<S> {
    stream: S,
    /// What has been read from it, and watched, and is to be read again.
    again: Bytes,
    /// None if it speaks HTTP/2, in which it is sure where requests end.
    framing: Option<Framing>,
    watch: Arc<Watch>,
    /// Its place among the connections allowed at a time; kept when it turns into a tunnel.
    _place: Place,
}

impl<S> Inspected<S> {
    /// Watches `stream`, in which this is spoken, and what was `read` from it, which is read again.
    pub(crate) fn new(stream: S, read: Bytes, watch: Arc<Watch>, place: Place, speech: Speech) -> Self {
        watch.note_speech(speech == Speech::Http2);
        let framing = match speech {
            Speech::Http2 => None,
            Speech::Http1 => Some(Framing::http_1()),
            Speech::Unknown => Some(Framing::default()),
        };
        let mut inspected = Self { stream, again: Bytes::new(), framing, watch, _place: place };
        inspected.inspect(&read);
        inspected.again = read;
        inspected
    }

    /// Makes `bytes` those that are read next: they have been read before.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        self.again = [bytes, &self.again].concat().into();
    }

    fn inspect(&mut self, bytes: &[u8]) {
        match &mut self.framing {
            Some(framing) => {
                framing.feed(bytes);
                self.watch.note(framing);
                if framing.is_http_2() {
                    self.watch.note_speech(true);
                    self.framing = None;
                }
            }
            None => self.watch.note_move(),
        }
    }

    fn moved(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(_)) => self.watch.note_written(true),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.note_written(false),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Inspected<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            let length = self.again.len().min(buffer.remaining());
            buffer.put_slice(&self.again.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.inspect(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Inspected<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moved(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.moved(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::places::Places;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const LONGEST: Longest =
        Longest { head: Duration::MAX, idle: Duration::MAX, take: Duration::from_millis(20) };

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_overdue_and_one_that_takes_all_is_not() {
        let (mut client, server) = tokio::io::duplex(8);
        let (watch, place) = (Arc::new(Watch::new(Clock::start())), Places::new(1, 1).take().await);
        let mut stream = Inspected::new(server, Bytes::new(), Arc::clone(&watch), place, Speech::Http1);
        stream.write_all(b"12345678").await.unwrap();
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(!watch.is_overdue(LONGEST), "nobody waits for it");
        let sending = tokio::spawn(async move { stream.write_all(b"12345678").await });
        while !watch.is_overdue(LONGEST) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.read_exact(&mut [0; 16]).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(!watch.is_overdue(LONGEST));
    }

    #[tokio::test]
    async fn what_was_read_comes_first_and_in_pieces_as_small_as_asked_for() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"ef").await.unwrap();
        client.shutdown().await.unwrap();
        let (watch, place) = (Arc::new(Watch::new(Clock::start())), Places::new(1, 1).take().await);
        let read = Bytes::from_static(b"cd");
        let mut stream = Inspected::new(server, read, watch, place, Speech::Http2);
        stream.unread(b"ab");
        let mut three = [0; 3];
        stream.read_exact(&mut three).await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!((&three, rest.as_str()), (b"abc", "def"));
    }
}
