//! Serving HTTP until shutdown.

mod secured;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::map_request;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::{Identity, Shutdown};

use secured::{Caller, SecuredListener};

/// How long requests that are under way at shutdown may take to finish.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Binds `address`, or says which and why not.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to listen on {address}: {source}; another program may hold it (see `ss -ltnp`), or choose another address"
)]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Serves `router` on `listener` until `shutdown`, then lets requests under way finish for [`SHUTDOWN_GRACE`].
pub async fn serve(listener: TcpListener, router: axum::Router, shutdown: Shutdown) -> io::Result<()> {
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    // Answers go out in two writes, head and body: held back to be joined, the second waits 40 ms for the first one's
    // acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let asked = shutdown.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(asked.cancelled_owned()).into_future();
    until_grace_ends(server, shutdown).await
}

/// The same as `identity`, if there is one: over mutual TLS, for members of its platform only, with each request's
/// [`Peer`](crate::Peer) in its extensions.
pub async fn serve_as(
    identity: Option<&Identity>,
    listener: TcpListener,
    router: axum::Router,
    shutdown: Shutdown,
) -> io::Result<()> {
    let Some(identity) = identity else { return serve(listener, router, shutdown).await };
    let app = router.layer(map_request(introduce)).into_make_service_with_connect_info::<Caller>();
    let listener = SecuredListener::new(listener, identity);
    let asked = shutdown.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(asked.cancelled_owned()).into_future();
    until_grace_ends(server, shutdown).await
}

/// Puts who called where handlers look for it. Nobody calls without saying who: the handshake would have failed.
async fn introduce(mut request: Request) -> Result<Request, StatusCode> {
    let extensions = request.extensions_mut();
    let caller = extensions.remove::<ConnectInfo<Caller>>();
    let Some((address, peer)) = caller.and_then(|ConnectInfo(caller)| Some((caller.address, caller.peer?)))
    else {
        return Err(StatusCode::FORBIDDEN);
    };
    extensions.insert(ConnectInfo(address));
    extensions.insert(peer);
    Ok(request)
}

async fn until_grace_ends(
    server: impl Future<Output = io::Result<()>>,
    shutdown: Shutdown,
) -> io::Result<()> {
    tokio::select! {
        ended = server => ended,
        () = after_grace(shutdown) => Ok(()),
    }
}

async fn after_grace(shutdown: Shutdown) {
    shutdown.cancelled().await;
    tokio::time::sleep(SHUTDOWN_GRACE).await;
}
