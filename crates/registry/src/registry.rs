//! The component: binds, serves, forgets uploads that nobody goes on with, and keeps an eye on the store.

use crate::{config::Config, http, state::State, upload, watch};
use deis_runtime::{
    Identity, Shutdown,
    serve::{self, BindError},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tracing::{error, info};

/// How often expired uploads are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// A registry that holds its address, ready to run.
pub struct Registry {
    listener: TcpListener,
    address: SocketAddr,
    identity: Option<Identity>,
    state: Arc<State>,
}

impl Registry {
    /// Opens the socket. Connections wait until [`Registry::run`].
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let wanted = config.listen;
        let listener = serve::bind(wanted).await?;
        let address = listener.local_addr().unwrap_or(wanted);
        config.status.listens_on(address);
        let identity = config.identity.clone();
        Ok(Self { listener, address, identity, state: Arc::new(State::new(config)) })
    }

    /// Where it listens, with the port that was free if none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets requests under way finish.
    pub async fn run(self, shutdown: Shutdown) -> io::Result<()> {
        info!(address = %self.address, "registry listens");
        let router = http::router(self.state.clone());
        tokio::select! {
            served = serve::serve_as(self.identity.as_ref(), self.listener, router, shutdown) => served,
            never = expire_uploads(&self.state) => match never {},
            never = watch::watch(&self.state) => match never {},
        }
    }
}

async fn expire_uploads(state: &State) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        ticks.tick().await;
        match upload::expire(state).await {
            Ok(0) => {}
            Ok(expired) => info!(expired, "removed uploads that nobody went on with"),
            Err(failure) => error!(error = &failure as &dyn std::error::Error, "failed to expire uploads"),
        }
    }
}
