//! One client's connection, from accepting it to its end.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::forwarded::Peer;
use crate::inspect::{Inspected, Watch};
use crate::places::Place;
use crate::proxy::{self, Client};
use crate::shared::Shared;

/// How long a connection may stay idle when as many clients are connected as may be.
const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(5);

/// What is read at a time from a client, and the most that is kept of it.
const BUFFER_BYTES: usize = 64 * 1024;

/// Serves one client until it leaves, is overdue, or the router ends.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr, place: Place) {
    let watch = Arc::new(Watch::new(peer.ip(), shared.clock));
    let client = Client { peer: Peer::new(watch.peer, &shared.config.trusted), watch: Arc::clone(&watch) };
    let io = TokioIo::new(Inspected::new(stream, Arc::clone(&watch), place));
    let mut builder = http1::Builder::new();
    builder.max_header_size(shared.config.limits.head_bytes).max_buf_size(BUFFER_BYTES);
    let service = service_fn(|request| proxy::serve(&shared, &client, request));
    let mut served = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut is_told = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut served => return note(ended),
            () = shared.ending.cancelled() => return,
            () = pause(&shared) => {}
        }
        let timeouts = &shared.config.timeouts;
        if watch.is_overdue(timeouts.head, timeouts.client_idle) {
            return;
        }
        if !is_told && is_to_leave(&shared, &watch) {
            is_told = true;
            Pin::as_mut(&mut served).graceful_shutdown();
        }
    }
}

/// A while after which the connection is looked at again: seldom, as there may be thousands.
async fn pause(shared: &Shared) {
    let timeouts = &shared.config.timeouts;
    if shared.closing.is_cancelled() {
        return tokio::time::sleep(timeouts.shutdown_idle / 2).await;
    }
    tokio::select! {
        () = shared.closing.cancelled() => {}
        () = tokio::time::sleep(timeouts.head / 4) => {}
    }
}

/// Whether an idle client is to be disconnected; a busy one is told with its answer.
fn is_to_leave(shared: &Shared, watch: &Watch) -> bool {
    let longest =
        if shared.closing.is_cancelled() { shared.config.timeouts.shutdown_idle } else { IDLE_WHEN_CROWDED };
    shared.wants_connections_closed() && watch.is_idle_for(longest)
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a client's connection broke");
    }
}
