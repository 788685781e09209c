//! Connections to one endpoint that many requests share at a time: HTTP/2 with prior knowledge.
//!
//! Apps that say so are spoken to this way, as gRPC needs it. Each core keeps its own, like all connections to
//! endpoints, and mostly one: a further one is opened when those there are carry as much as the endpoint lets them.

mod shelf;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use h2::Reason;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use deis_api::client;

use crate::clock::Millis;
use crate::cores::Seat;
use crate::link::ExchangeError;
use crate::stream::{Haste, Stream, is_lost};
use crate::upload::Upload;

use shelf::Shelf;

/// Requests at a time over one connection, if the endpoint allows more.
const MOST_STREAMS: usize = 256;

/// How much of one answer an endpoint may send before its client took any of it in, and of all answers together.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// How long an endpoint says nothing, while requests are under way, before it is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(20);

/// The connections to one endpoint.
#[derive(Default)]
pub(crate) struct Trunks {
    /// By core; made when the first one is opened.
    shelves: OnceLock<Box<[Shelf]>>,
    /// Whether the endpoint is retired: none is kept any more.
    is_closed: AtomicBool,
}

/// One of them.
struct Trunk {
    sender: http2::SendRequest<Upload>,
    /// Requests under way.
    streams: AtomicUsize,
    /// How many there may be.
    most: AtomicUsize,
    /// When the last request ended.
    used: AtomicU64,
}

/// One request's part of a connection, given back when dropped.
pub(crate) struct Lane(Arc<Trunk>);

impl Trunks {
    /// A place for one more request, over a new connection to `address` if need be, which may take as long as `timeout`
    /// together with those that are opened first.
    pub(crate) async fn take(&self, address: SocketAddr, timeout: Duration) -> io::Result<Lane> {
        let deadline = Instant::now() + timeout;
        let seat = Seat::current();
        let shelves = self.shelves.get_or_init(|| (0..seat.count).map(|_| Shelf::default()).collect());
        let shelf = &shelves[seat.index % shelves.len()];
        if let Some(lane) = shelf.lane() {
            return Ok(lane);
        }
        shelf.open(&self.is_closed, deadline, || Trunk::open(address)).await
    }

    /// Closes those that broke, and those over which nothing has been under way since `longest` before `now`.
    pub(crate) fn reap(&self, now: Millis, longest: Millis) {
        for shelf in self.shelves.get().into_iter().flatten() {
            let is_stale = |trunk: &mut Arc<Trunk>| {
                trunk.note_use(now);
                trunk.sender.is_closed() || now.saturating_sub(trunk.used.load(Relaxed)) > longest
            };
            let stale: Vec<_> = shelf.lock().extract_if(.., is_stale).collect();
            // Closing is a system call: not under the lock.
            drop(stale);
        }
    }

    /// Keeps none any more. Requests under way go on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        for shelf in self.shelves.get().into_iter().flatten() {
            let open = std::mem::take(&mut *shelf.lock());
            drop(open);
        }
    }
}

impl Trunk {
    /// Connects, with one request under way.
    async fn open(address: SocketAddr) -> io::Result<Arc<Self>> {
        let haste = Haste::default();
        // HTTP/2 lets nobody send more than the other end takes in, so what is sent is confirmed soon.
        haste.set(true);
        let stream = Stream::new(client::Connection::open(address, None).await?, haste)?;
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .timer(TokioTimer::new())
            .keep_alive_interval(SILENCE);
        let (sender, mut connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let (streams, most) = (AtomicUsize::new(1), AtomicUsize::new(MOST_STREAMS));
        let trunk = Arc::new(Self { sender, streams, most, used: AtomicU64::new(0) });
        let weak = Arc::downgrade(&trunk);
        tokio::spawn(async move {
            let driven = poll_fn(|context| {
                let polled = Pin::new(&mut connection).poll(context);
                if let Some(trunk) = weak.upgrade() {
                    let allowed = connection.current_max_send_streams();
                    trunk.most.store(allowed.clamp(1, MOST_STREAMS), Relaxed);
                }
                polled
            });
            if let Err(error) = driven.await {
                tracing::debug!(%error, "a connection to an endpoint broke");
            }
        });
        Ok(trunk)
    }

    fn note_use(&self, now: Millis) {
        // One that was never looked at, or carries requests, is in use now.
        if self.streams.load(Relaxed) > 0 || self.used.load(Relaxed) == 0 {
            self.used.store(now, Relaxed);
        }
    }
}

impl Lane {
    /// Sends `request` and waits for the head of the answer. Both bodies go on by themselves, in any order.
    pub(crate) async fn exchange(
        &self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, ExchangeError> {
        // Clones of a sender are the same connection.
        let mut sender = self.0.sender.clone();
        sender.try_send_request(fit(request)).await.map_err(|error| {
            let was_sent = error.message().is_none();
            classify(error.into_error(), was_sent)
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Relaxed);
    }
}

/// Makes a request of HTTP/1.1 one of HTTP/2. Source: RFC 9113 sections 8.2.2 and 8.3.1.
fn fit(mut request: Request<Upload>) -> Request<Upload> {
    let headers = request.headers_mut();
    for name in [CONNECTION, UPGRADE, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let authority = headers.remove(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority.unwrap_or(Authority::from_static("localhost")));
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).expect("scheme, authority and path are all there");
    *request.version_mut() = Version::HTTP_2;
    request
}

fn classify(error: hyper::Error, was_sent: bool) -> ExchangeError {
    match error {
        error if !was_sent => ExchangeError::Unsent(error),
        error if is_lost(&error) => ExchangeError::Lost(error),
        error if is_untaken(&error) => ExchangeError::Untaken(error),
        error => ExchangeError::Unanswered(error),
    }
}

/// Whether the endpoint says that it has not begun with the request, which is safe to send again whatever it is.
/// Source: RFC 9113 section 8.7.
fn is_untaken(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let said = causes.find_map(|cause| cause.downcast_ref::<h2::Error>()).filter(|error| error.is_remote());
    said.is_some_and(|error| match error.reason() {
        Some(Reason::REFUSED_STREAM) => error.is_reset(),
        // It answers those that it began with before it goes.
        Some(Reason::NO_ERROR) => error.is_go_away(),
        _ => false,
    })
}
