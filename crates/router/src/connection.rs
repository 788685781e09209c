//! One client's connection, from accepting it to its end.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::announced;
use crate::arriving::Arriving;
use crate::forwarded::Peer;
use crate::h1;
use crate::households::Member;
use crate::http2;
use crate::inspect::{Inspected, Longest, Watch};
use crate::passage;
use crate::passthrough;
use crate::places::Place;
use crate::proxy::{self, Client};
use crate::shared::Shared;
use crate::socket::Socket;
use crate::sought::Sought;
use crate::speech::{self, Speech};
use crate::tls::{HandshakeError, Secured};

/// Serves one client, who may speak HTTP/1 or, without being asked, HTTP/2.
pub(crate) async fn serve(shared: Arc<Shared>, mut socket: Socket, peer: SocketAddr, place: Place) {
    let Some(peer) = announced::client(&shared, &mut socket, peer).await else { return };
    let Some(member) = shared.count_in(&shared.visitors, peer.address, peer.is_announced) else { return };
    begin(&shared, socket, peer, place.of(member), None).await;
}

/// Serves one client, once TLS is set up.
pub(crate) async fn serve_secured(shared: Arc<Shared>, socket: Socket, peer: SocketAddr, place: Place) {
    let Some((socket, peer, member)) = keep(&shared, socket, peer).await else { return };
    let place = place.of(member);
    let accepted = tokio::select! {
        accepted = shared.tls.accept(socket) => accepted,
        () = shared.ending.cancelled() => return,
    };
    let counters = &shared.counters;
    if accepted.is_ok() {
        counters.tls_handshakes.add()
    } else {
        counters.tls_failures.add()
    }
    match accepted {
        Ok((stream, secured)) => {
            begin(&shared, stream, peer.over(secured.version), place, Some(secured)).await;
        }
        Err(HandshakeError::Answered) => {
            tracing::info!(peer = %peer.address, "answered a certificate authority")
        }
        Err(error) => {
            tracing::debug!(peer = %peer.address, error = &error as &dyn std::error::Error, "no TLS")
        }
    }
}

/// A connection that is not passed on as it is, and who is at its other end. One that is has been carried by then.
async fn keep(shared: &Arc<Shared>, mut socket: Socket, peer: SocketAddr) -> Option<(Socket, Peer, Member)> {
    if shared.table.load().passed_on.is_empty() {
        let peer = announced::client(shared, &mut socket, peer).await?;
        let member = shared.count_in(&shared.visitors, peer.address, peer.is_announced)?;
        return Some((socket, peer, member));
    }
    let stream = socket.watch().ok()?;
    let ends = announced::ends(shared, stream, peer).await?;
    let member = shared.count_in(&shared.visitors, ends.client.ip(), ends.is_announced)?;
    let Some(host) = passthrough::host(shared, stream).await else {
        return Some((socket, ends.peer(), member));
    };
    let stream = socket.into_watched().ok()?;
    passage::serve(shared, stream, ends, Sought::Unopened(&host)).await;
    None
}

/// Serves one client's common requests the short way, and from the first other one on all of them the other.
async fn begin<S: h1::Line + Send + 'static>(
    shared: &Arc<Shared>,
    stream: S,
    peer: Peer,
    place: Place,
    secured: Option<Secured>,
) {
    let agreed = match &secured {
        Some(secured) if secured.is_http_2 => Speech::Http2,
        Some(_) => Speech::Http1,
        None => Speech::Unknown,
    };
    let rest = if agreed == Speech::Http2 || !shared.config.short_way {
        Some(h1::Rest { stream, peer, read: Bytes::new(), has_served: false })
    } else {
        h1::serve(shared, stream, peer, secured.as_ref()).await
    };
    if let Some(h1::Rest { stream, peer, read, has_served }) = rest {
        let allows_http_2 = shared.table.load().mesh.http2;
        let speech = match agreed {
            Speech::Unknown if has_served || !allows_http_2 => Speech::Http1,
            agreed => agreed,
        };
        // Boxed, as it is large and most connections never come here.
        Box::pin(converse(shared, stream, read, speech, peer, place, secured)).await;
    }
}

/// Serves one client, of whose bytes some were `read` before, until it leaves, is overdue, or the router ends.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: &Arc<Shared>,
    stream: S,
    read: Bytes,
    speech: Speech,
    peer: Peer,
    place: Place,
    secured: Option<Secured>,
) {
    let watch = Arc::new(Watch::new(shared.clock));
    let mut stream = Inspected::new(stream, read, Arc::clone(&watch), place, speech);
    let is_http_2 = match speech {
        Speech::Http1 | Speech::Http2 => speech == Speech::Http2,
        Speech::Unknown => {
            let read = {
                let reading = pin!(speech::first_bytes(&mut stream));
                attend(shared, &watch, reading, |_| Told::Gone).await
            };
            let Some(Ok((beginning, is_http_2))) = read else { return };
            stream.unread(&beginning);
            is_http_2
        }
    };
    if is_http_2 {
        let client = Client { peer, watch, secured };
        // Boxed, as it is large and most connections are none of these.
        return Box::pin(http2::serve(shared, &client, stream)).await;
    }
    let client = Arc::new(Client { peer, watch: Arc::clone(&watch), secured });
    let service = service_fn(|request| {
        let (shared, client) = (Arc::clone(shared), Arc::clone(&client));
        async move { proxy::serve(&shared, &client, request.map(Arriving::Http1)).await }
    });
    let server = speech::http_1(&shared.config.limits);
    let served = pin!(server.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = attend(shared, &watch, served, |served| leave(|| served.graceful_shutdown())).await;
    match ended {
        Some(Err(error)) if error.is_parse() => note_malformed(shared, &client.peer, &error),
        Some(Err(error)) => tracing::debug!(%error, "a client's connection broke"),
        Some(Ok(())) | None => {}
    }
}

/// The library has answered it, with a status alone: there is no host whose app it would be counted and logged for.
fn note_malformed(shared: &Shared, peer: &Peer, error: &hyper::Error) {
    shared.counters.malformed.add();
    if shared.malformed.may_warn(shared.clock.now()) {
        tracing::info!(client = %peer.address, %error, "refused what is no request; others may have come since the last such line (`deis_router_requests_malformed_total`)");
    }
}

/// What becomes of a client that is told to leave.
enum Told {
    /// It is disconnected.
    Gone,
    /// It leaves when what is under way has ended.
    Leaving,
}

fn leave(tell: impl FnOnce()) -> Told {
    tell();
    Told::Leaving
}

/// Lets `served` go on until it ends; none if it is given up before.
async fn attend<F: Future>(
    shared: &Shared,
    watch: &Watch,
    mut served: Pin<&mut F>,
    tell: impl Fn(Pin<&mut F>) -> Told,
) -> Option<F::Output> {
    let mut is_told = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut served => return Some(ended),
            () = shared.ending.cancelled() => return None,
            () = pause(shared) => {}
        }
        if watch.is_overdue(Longest::of(shared)) {
            return None;
        }
        if !is_told && is_to_leave(shared, watch) {
            is_told = true;
            if let Told::Gone = tell(served.as_mut()) {
                return None;
            }
        }
    }
}

/// A while after which the connection is looked at again: seldom, as there may be thousands.
async fn pause(shared: &Shared) {
    if shared.closing.is_cancelled() {
        return tokio::time::sleep(shared.config.timeouts.shutdown_idle / 2).await;
    }
    let Longest { head, idle, take } = Longest::of(shared);
    tokio::select! {
        () = shared.closing.cancelled() => {}
        () = tokio::time::sleep(head.min(idle).min(take) / 4) => {}
    }
}

/// Whether a client is to be told to leave: only an idle one is, and a busy one hears of it with its answer.
fn is_to_leave(shared: &Shared, watch: &Watch) -> bool {
    if !shared.wants_connections_closed() {
        return false;
    }
    let (closing, timeouts) = (shared.closing.is_cancelled(), &shared.config.timeouts);
    watch.is_idle_for(if closing { timeouts.shutdown_idle } else { timeouts.crowded_idle })
}
