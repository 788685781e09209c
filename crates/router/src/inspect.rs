//! A client's connection, with its bytes watched as they pass; some of them may be read again.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::{Clock, Millis, millis};
use crate::framing::{Fault, Framing};
use crate::places::Place;
use crate::speech::Speech;

/// What is known of a client's connection. Only its own task writes; others may read.
pub(crate) struct Watch {
    clock: Clock,
    /// When bytes last moved, either way.
    moved: AtomicU64,
    /// Since when a head is arriving; 0 if none is.
    head_since: AtomicU64,
    fault: OnceLock<(u64, Fault)>,
    bare_from: OnceLock<u64>,
    requests: AtomicU64,
    busy: AtomicUsize,
    /// When the last request ended.
    ended: AtomicU64,
    is_http_2: AtomicBool,
}

impl Watch {
    /// Of a connection that has just been accepted.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            moved: AtomicU64::new(clock.now()),
            head_since: AtomicU64::new(0),
            fault: OnceLock::new(),
            bare_from: OnceLock::new(),
            requests: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            ended: AtomicU64::new(clock.now()),
            is_http_2: AtomicBool::new(false),
        }
    }

    /// Counts the next request of the connection; an error if its framing is at fault.
    pub(crate) fn begin(self: &Arc<Self>) -> (Busy, Result<(), Fault>) {
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        self.busy.fetch_add(1, Relaxed);
        let judged = match self.fault.get() {
            Some((first, fault)) if *first <= number => Err(*fault),
            _ if self.bare_from.get().is_some_and(|first| *first <= number) => Err(Fault::BareLineFeed),
            _ => Ok(()),
        };
        (Busy(Arc::clone(self)), judged)
    }

    /// Whether it speaks HTTP/2, as far as is known by now.
    pub(crate) fn speaks_http_2(&self) -> bool {
        self.is_http_2.load(Relaxed)
    }

    /// Whether a head takes longer than `head` to arrive, or nothing has moved for `idle`.
    pub(crate) fn is_overdue(&self, head: Duration, idle: Duration) -> bool {
        let now = self.clock.now();
        let head_since = self.head_since.load(Relaxed);
        let head_is_late = head_since != 0 && now.saturating_sub(head_since) > millis(head);
        head_is_late || self.still_for(now) > millis(idle) || self.is_unused(now, head, idle)
    }

    /// Over HTTP/2 much may move without any request: whether there has been none for `idle`, or never one for `head`.
    fn is_unused(&self, now: Millis, head: Duration, idle: Duration) -> bool {
        let longest = if self.requests.load(Relaxed) == 0 { head } else { idle };
        let unused = now.saturating_sub(self.ended.load(Relaxed));
        self.speaks_http_2() && self.busy.load(Relaxed) == 0 && unused > millis(longest)
    }

    /// Whether the connection is between requests and has been for `longest`.
    pub(crate) fn is_idle_for(&self, longest: Duration) -> bool {
        self.busy.load(Relaxed) == 0 && self.is_still_for(longest)
    }

    /// Whether nothing has moved for `longest`.
    pub(crate) fn is_still_for(&self, longest: Duration) -> bool {
        self.still_for(self.clock.now()) >= millis(longest)
    }

    fn still_for(&self, now: Millis) -> Millis {
        now.saturating_sub(self.moved.load(Relaxed))
    }

    fn note(&self, framing: &Framing) {
        let now = self.clock.now();
        self.moved.store(now, Relaxed);
        match (framing.is_in_head(), self.head_since.load(Relaxed)) {
            (true, 0) => self.head_since.store(now, Relaxed),
            (false, since) if since != 0 => self.head_since.store(0, Relaxed),
            _ => {}
        }
        if let Some(fault) = framing.fault() {
            // Only the first counts; a later write would say the same.
            let _ = self.fault.set(fault);
        }
        if let Some(first) = framing.bare_from() {
            let _ = self.bare_from.set(first);
        }
    }
}

/// A request that is being served; ended when dropped.
pub(crate) struct Busy(Arc<Watch>);

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.busy.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
        self.0.ended.store(self.0.clock.now(), Relaxed);
    }
}

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
        watch.is_http_2.store(speech == Speech::Http2, Relaxed);
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
                    self.watch.is_http_2.store(true, Relaxed);
                    self.framing = None;
                }
            }
            None => self.watch.moved.store(self.watch.clock.now(), Relaxed),
        }
    }

    fn moved(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.watch.moved.store(self.watch.clock.now(), Relaxed);
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
    use crate::places::Places;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
