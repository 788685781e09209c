//! One client's connection, for as long as its requests are common ones.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::forwarded::Peer;
use crate::h1::ask::Ask;
use crate::h1::buffer::Buffer;
use crate::h1::chunks::Chunks;
use crate::h1::line::Line;
use crate::h1::pulse::Pulse;
use crate::h1::request::{FIELDS, Odd, Request};
use crate::h1::send::Sending;
use crate::h1::upload::Upload;
use crate::h1::version::Version;
use crate::h1::wire::Wire;
use crate::shared::Shared;
use crate::tls::Secured;

/// In how many pieces the head of a common request may arrive.
const PIECES: u32 = 4;

/// How long a client may take to hear that its connection ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// How much a client may send meanwhile.
const UNHEARD_BYTES: usize = 16 * 1024 * 1024;

/// One client's connection.
pub(super) struct Session<'a, S> {
    pub(super) shared: &'a Shared,
    pub(super) stream: S,
    pub(super) peer: Peer,
    /// How it set up TLS; none without.
    pub(super) secured: Option<&'a Secured>,
    pub(super) pulse: Pulse,
    /// How long nothing of the present answer may come, or be taken.
    pub(super) idle: Duration,
    /// What the client has sent and nobody has dealt with: the present request first. None while there is nothing.
    pub(super) incoming: Option<Buffer>,
    /// What of the present request's body was not there with its head.
    pub(super) upload: Option<Box<Upload>>,
}

/// Why there is no further common request.
pub(super) enum Leave {
    /// What comes next is left to the other way.
    Odd,
    /// It is of a version of HTTP that nobody here speaks.
    Foreign,
    /// The client is gone, or overdue.
    Gone,
}

impl<S: Line> Session<'_, S> {
    /// Waits for the next request.
    pub(super) async fn next(&mut self) -> Result<Ask, Leave> {
        let longest = self.shared.table.load().mesh.clients;
        self.pulse.rest(self.shared.clock.now(), longest.idle);
        let mut pieces = 0;
        loop {
            if let Some(incoming) = &self.incoming {
                if let Some(ask) = self.read(incoming.filled())? {
                    self.pulse.work();
                    return Ok(ask);
                }
                if pieces == PIECES || incoming.is_full() {
                    return Err(Leave::Odd);
                }
                if pieces <= 1 {
                    self.pulse.until(self.shared.clock.now(), longest.head);
                }
            }
            pieces += 1;
            match poll_fn(|context| self.poll_read(context)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(Leave::Gone),
            }
        }
    }

    /// What `bytes` begin with; none if they are the beginning of a head.
    fn read(&self, bytes: &[u8]) -> Result<Option<Ask>, Leave> {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS];
        match Request::read(bytes, &mut room) {
            Ok(Some(request)) => self.ask(bytes, &request).map(Some).ok_or(Leave::Odd),
            Ok(None) => Ok(None),
            Err(Odd) => match Version::of(bytes) {
                Version::Foreign => Err(Leave::Foreign),
                Version::Unknown => Ok(None),
                Version::Other => Err(Leave::Odd),
            },
        }
    }

    /// None if it is common in its form only, or its body bad from the beginning: others tell why.
    fn ask(&self, bytes: &[u8], request: &Request<'_, '_>) -> Option<Ask> {
        let is_bad = request.is_chunked && Chunks::new().read(&bytes[request.head_bytes..], |_| {}).is_err();
        if is_bad { None } else { Ask::of(self.shared, &self.peer, self.secured, request) }
    }

    /// Lets go of the present request.
    pub(super) fn forget(&mut self, ask: &Ask) {
        let is_gone = self.upload.take().is_some();
        if let Some(incoming) = &mut self.incoming {
            incoming.consume(if is_gone { 0 } else { ask.head_bytes + ask.body_bytes });
            incoming.compact();
        }
        self.incoming.take_if(|incoming| incoming.is_empty());
    }

    /// Reads what the client sends; 0 at its end. There must be room.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut incoming = self.incoming.take().unwrap_or_else(Buffer::small);
        let polled = incoming.poll_fill(context, &mut self.stream);
        // Memory in which nothing is goes back.
        self.incoming = Some(incoming).filter(|incoming| !incoming.is_empty());
        if polled.is_pending() && self.pulse.is_overdue(self.shared) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }

    /// Whether the client has left; takes in what it sends ahead, as far as there is room.
    pub(super) fn is_client_gone(&mut self, context: &mut Context<'_>) -> bool {
        // Most answers are there before it would be worth watching the client.
        if !self.stream.is_watched() && !self.pulse.has_lasted() {
            return false;
        }
        while !self.incoming.as_ref().is_some_and(Buffer::is_full) {
            match self.poll_read(context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(_)) => return true,
                // It may be that only the endpoint is late.
                Poll::Ready(Err(error)) => return error.kind() != io::ErrorKind::TimedOut,
            }
        }
        false
    }

    /// Sends all of `parts`. What the client sends meanwhile goes on over `wire`.
    pub(super) async fn send(
        &mut self,
        parts: &mut [IoSlice<'_>],
        mut wire: Option<&mut Wire>,
    ) -> io::Result<()> {
        let (shared, idle) = (self.shared, self.idle);
        self.pulse.until(shared.clock.now(), idle);
        let bytes = parts.iter().map(|part| part.len()).sum();
        let (mut sending, mut is_held_up) = (Sending::new(parts), false);
        let sent = poll_fn(|context| {
            let polled = sending.poll(context, &mut self.stream, &mut 0);
            if polled.is_ready() {
                return polled;
            }
            if !std::mem::replace(&mut is_held_up, true) {
                self.pulse.hold_up(shared.clock.now(), idle.min(shared.time_to_take(bytes)));
            }
            // It may take nothing before it has sent all.
            let stopped = wire.as_deref_mut().map(|wire| self.poll_upload(context, wire));
            match stopped {
                Some(Poll::Ready(Err(_))) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                _ if self.pulse.is_overdue(shared) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                _ => Poll::Pending,
            }
        })
        .await;
        if is_held_up {
            self.pulse.go_on(shared.clock.now(), idle);
        }
        sent
    }

    /// Says goodbye, if the client listens.
    pub(super) async fn end(mut self) {
        self.pulse.until(self.shared.clock.now(), GOODBYE);
        poll_fn(|context| match self.stream.poll_end(context) {
            Poll::Pending if !self.pulse.is_overdue(self.shared) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }

    /// Says goodbye and hears what the client is still sending: to close while something is unread would be taken for a
    /// broken connection, and the client might never see its answer. Source: RFC 9112 section 9.6.
    pub(super) async fn end_early(mut self) {
        self.pulse.until(self.shared.clock.now(), GOODBYE);
        let said = poll_fn(|context| match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Pending if self.pulse.is_overdue(self.shared) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            polled => polled,
        });
        let mut left = if said.await.is_ok() { UNHEARD_BYTES } else { 0 };
        while left > 0 {
            self.incoming = None;
            match poll_fn(|context| self.poll_read(context)).await {
                Ok(read @ 1..) => left = left.saturating_sub(read),
                Ok(0) | Err(_) => break,
            }
        }
    }
}
