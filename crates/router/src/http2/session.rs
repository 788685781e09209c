//! One client's connection: its frames, and the requests that are under way over it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use h2::server::{Builder, Connection, Handshake, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};

use super::gathered::Gathered;
use crate::clock::{Millis, millis};
use crate::config::Limits;
use crate::inspect::{Longest, Watch};
use crate::shared::Shared;

/// Requests at a time over one connection.
const STREAMS: u32 = 128;

/// How much of one body a client may send before any of it was passed on: enough to fill a fast and distant line. What a
/// slow app does not take in waits with its client.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same of all bodies of one connection: so much more that a few slow ones leave room for others.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;

/// How much of one answer waits for its client. A client that reads nothing makes the router keep this for each stream:
/// 2 MiB in all.
const SEND_BUFFER: usize = 16 * 1024;

/// Requests that the client took back before they were looked at, until the connection is given up: what a rapid reset
/// attack consists of.
const RESETS: usize = 32;

/// Requests that were refused or malformed in all the time of a connection, until it is given up. Many more than one may
/// have at a time: a client that has not heard how many these are may begin with more, and whoever comes over another proxy's
/// connection shares it with others. Source: RFC 9113 section 5.1.2.
const FAULTS: usize = 1024;

/// How long a client says nothing before it is asked whether it is still there, and how long it may take to answer.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);

/// One client's connection, whose requests `A` answers.
pub(super) struct Session<S, A, F> {
    stream: Gathered<S>,
    frames: Frames<S>,
    /// Requests under way.
    exchanges: FuturesUnordered<F>,
    answer: A,
    pings: Option<PingPong>,
    is_leaving: bool,
}

enum Frames<S> {
    /// The client has not said what every connection begins with.
    Greeting(Handshake<Gathered<S>, Bytes>),
    Open(Connection<Gathered<S>, Bytes>),
}

impl<S, A, F> Session<S, A, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F,
    F: Future<Output = ()>,
{
    /// Over `stream`.
    pub(super) fn new(stream: S, limits: &Limits, answer: A) -> Self {
        let stream = Gathered::new(stream);
        let frames = Frames::Greeting(builder(limits).handshake(stream.twin()));
        Self { stream, frames, exchanges: FuturesUnordered::new(), answer, pings: None, is_leaving: false }
    }

    /// Goes on until the connection ends.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_all(context);
        if polled.is_pending()
            && let Poll::Ready(Err(error)) = self.stream.poll_send(context)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }

    fn poll_all(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while let Poll::Ready(Some(())) = self.exchanges.poll_next_unpin(context) {}
            let before = self.exchanges.len();
            let ended = match &mut self.frames {
                Frames::Greeting(greeting) => match Pin::new(greeting).poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(connection)) => {
                        self.open(connection);
                        continue;
                    }
                    Poll::Ready(Err(error)) => Err(io::Error::other(error)),
                },
                Frames::Open(connection) => loop {
                    match connection.poll_accept(context) {
                        // What is new has to be begun.
                        Poll::Pending if self.exchanges.len() > before => break Ok(false),
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(Ok((request, respond)))) => {
                            self.exchanges.push((self.answer)(request, respond));
                        }
                        Poll::Ready(Some(Err(error))) => break Err(io::Error::other(error)),
                        Poll::Ready(None) => break Ok(true),
                    }
                },
            };
            match ended {
                Ok(false) => {}
                Ok(true) => return Poll::Ready(Ok(())),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn open(&mut self, mut connection: Connection<Gathered<S>, Bytes>) {
        self.pings = connection.ping_pong();
        if self.is_leaving {
            connection.graceful_shutdown();
        }
        self.frames = Frames::Open(connection);
    }

    /// Tells the client to come back on another connection; what is under way goes on.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true)
            && let Frames::Open(connection) = &mut self.frames
        {
            connection.graceful_shutdown();
        }
    }
}

/// The library itself bounds how many pieces a head may come in, and how many pings, settings and empty frames a connection
/// may bring.
fn builder(limits: &Limits) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(Some(FAULTS))
        .enable_connect_protocol();
    builder
}

/// Looks at a connection now and then.
#[derive(Default)]
pub(super) struct Look {
    /// Since when the client is to say that it is there.
    asked: Option<Millis>,
}

impl Look {
    /// Whether `session` goes on; asks its client whether it is there if it has been silent.
    pub(super) fn at<S, A, F>(
        &mut self,
        shared: &Shared,
        watch: &Watch,
        session: &mut Session<S, A, F>,
        context: &mut Context<'_>,
    ) -> bool
    where
        S: AsyncRead + AsyncWrite + Unpin,
        A: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F,
        F: Future<Output = ()>,
    {
        if shared.ending.is_cancelled() || watch.is_overdue(Longest::of(shared)) {
            return false;
        }
        let is_crowded = || watch.is_idle_for(shared.config.timeouts.crowded_idle);
        if shared.closing.is_cancelled() || (shared.places.are_taken() && is_crowded()) {
            session.leave();
        }
        session.pings.as_mut().is_none_or(|pings| self.ask(shared.clock.now(), watch, pings, context))
    }

    /// Whether the client may still be there.
    fn ask(&mut self, now: Millis, watch: &Watch, pings: &mut PingPong, context: &mut Context<'_>) -> bool {
        match self.asked {
            Some(_) if pings.poll_pong(context).is_ready() => self.asked = None,
            Some(asked) => return now.saturating_sub(asked) <= millis(ANSWER),
            None if watch.is_still_for(SILENCE) && pings.send_ping(Ping::opaque()).is_ok() => {
                self.asked = Some(now);
            }
            None => {}
        }
        true
    }
}

#[cfg(test)]
mod tests;
