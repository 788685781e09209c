//! A client's connection, with its bytes watched as they pass.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::{Clock, Millis, millis};
use crate::framing::{Fault, Framing};
use crate::places::Place;

/// What is known of a client's connection. Only its own task writes; others may read.
pub(crate) struct Watch {
    /// Who is at the other end.
    pub(crate) peer: IpAddr,
    clock: Clock,
    /// When bytes last moved, either way.
    moved: AtomicU64,
    /// Since when a head is arriving; 0 if none is.
    head_since: AtomicU64,
    fault: OnceLock<(u64, Fault)>,
    requests: AtomicU64,
    busy: AtomicUsize,
}

impl Watch {
    /// Of a connection that has just been accepted.
    pub(crate) fn new(peer: IpAddr, clock: Clock) -> Self {
        Self {
            peer: peer.to_canonical(),
            clock,
            moved: AtomicU64::new(clock.now()),
            head_since: AtomicU64::new(0),
            fault: OnceLock::new(),
            requests: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
        }
    }

    /// Counts the next request of the connection; an error if its framing is at fault.
    pub(crate) fn begin(self: &Arc<Self>) -> (Busy, Result<(), Fault>) {
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        self.busy.fetch_add(1, Relaxed);
        let judged = match self.fault.get() {
            Some((first, fault)) if *first <= number => Err(*fault),
            _ => Ok(()),
        };
        (Busy(Arc::clone(self)), judged)
    }

    /// Whether a head takes longer than `head` to arrive, or nothing has moved for `idle`.
    pub(crate) fn is_overdue(&self, head: Duration, idle: Duration) -> bool {
        let now = self.clock.now();
        let head_since = self.head_since.load(Relaxed);
        let head_is_late = head_since != 0 && now.saturating_sub(head_since) > millis(head);
        head_is_late || self.still_for(now) > millis(idle)
    }

    /// Whether the connection is between requests and has been for `longest`.
    pub(crate) fn is_idle_for(&self, longest: Duration) -> bool {
        self.busy.load(Relaxed) == 0 && self.still_for(self.clock.now()) >= millis(longest)
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
    }
}

/// A request that is being served; ended when dropped.
pub(crate) struct Busy(Arc<Watch>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// A client's connection.
pub(crate) struct Inspected {
    stream: TcpStream,
    framing: Framing,
    watch: Arc<Watch>,
    /// Its place among the connections allowed at a time; kept when it turns into a tunnel.
    _place: Place,
}

impl Inspected {
    /// Watches `stream`.
    pub(crate) fn new(stream: TcpStream, watch: Arc<Watch>, place: Place) -> Self {
        Self { stream, framing: Framing::default(), watch, _place: place }
    }

    fn moved(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.watch.moved.store(self.watch.clock.now(), Relaxed);
        }
    }
}

impl AsyncRead for Inspected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let this = &mut *self;
        this.framing.feed(&buffer.filled()[before..]);
        this.watch.note(&this.framing);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Inspected {
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
