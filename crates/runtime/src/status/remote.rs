//! What a role says of itself, to operators on other hosts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio::net::TcpListener;
use tracing::warn;

use crate::auth::InternalKey;
use crate::{Allowed, Identity, Shutdown, require_internal_key, require_role, serve_as};

use super::{StatusBoard, show};

/// The role of those who operate a platform.
const OPERATOR: &str = "deisctl";
/// How long to wait for a port that a role which is just ending still has.
const BIND_AGAIN: Duration = Duration::from_secs(1);

impl StatusBoard {
    /// Answers `GET /internal/status` on `address` to operators who hold the internal key, over mutual TLS as `identity`,
    /// until `shutdown`.
    ///
    /// A port that somebody else has is tried again: roles that take over from others run beside them for a while.
    pub async fn serve_operators(
        self,
        address: SocketAddr,
        identity: Identity,
        internal_key: &str,
        shutdown: Shutdown,
    ) -> io::Result<()> {
        let Some(listener) = shutdown.run_until_cancelled(bind(address)).await else { return Ok(()) };
        let router = Router::new()
            .route("/internal/status", get(show))
            .layer(from_fn_with_state(InternalKey::new(internal_key), require_internal_key))
            .layer(from_fn_with_state(Allowed::roles([OPERATOR]), require_role))
            .with_state(self);
        serve_as(Some(&identity), listener, router, shutdown).await
    }
}

async fn bind(address: SocketAddr) -> TcpListener {
    let mut told = false;
    loop {
        match crate::bind(address).await {
            Ok(listener) => return listener,
            Err(error) if !told => warn!(%error, "operators on other hosts cannot ask how this role is"),
            Err(_) => {}
        }
        told = true;
        tokio::time::sleep(BIND_AGAIN).await;
    }
}
