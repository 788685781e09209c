//! Serving HTTP until shutdown.

use std::io;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;

use crate::Shutdown;

/// How long requests that are under way at shutdown may take to finish.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// Binds `address`, or says which and why not.
pub async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to listen on {address}: {source}; another program may hold it (see `ss -ltnp`), or choose another address"
)]
pub struct BindError {
    address: std::net::SocketAddr,
    source: io::Error,
}

/// Serves `router` on `listener` until `shutdown`, then lets requests under way finish for [`SHUTDOWN_GRACE`].
pub async fn serve(listener: TcpListener, router: axum::Router, shutdown: Shutdown) -> io::Result<()> {
    let asked = shutdown.clone();
    let app = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    // Answers go out in two writes, head and body: held back to be joined, the second waits 40 ms for the first one's
    // acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, app).with_graceful_shutdown(asked.cancelled_owned()).into_future();
    tokio::select! {
        ended = server => ended,
        () = after_grace(shutdown) => Ok(()),
    }
}

async fn after_grace(shutdown: Shutdown) {
    shutdown.cancelled().await;
    tokio::time::sleep(SHUTDOWN_GRACE).await;
}
