//! The component: opens everything, then serves until it is asked to end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use deis_runtime::auth::InternalKey;
use deis_runtime::{Identity, Shutdown, StatusBoard, serve};

use crate::app_log::Continuation;
use crate::archive::Archive;
use crate::config::Config;
use crate::error::LoggerError;
use crate::http::{self, Service};
use crate::mirror::Mirror;
use crate::writer::{Limits, Writer};

/// How long the writer may take to store what was taken before shutdown.
const WRITER_GRACE: Duration = Duration::from_secs(5);
/// How long the store may take to get the last lines.
const MIRROR_GRACE: Duration = Duration::from_secs(15);

/// A logger that listens, but does not answer yet.
pub struct Logger {
    listener: TcpListener,
    address: SocketAddr,
    archive: Arc<Archive>,
    mirror: Option<Mirror>,
    limits: Limits,
    key: InternalKey,
    identity: Option<Identity>,
    status: StatusBoard,
}

impl Logger {
    /// Opens the logs and takes the address; with a mirror, waits for the store first. Troubles with the disk are noted on `status` as they come and go.
    pub async fn bind(config: Config, status: StatusBoard) -> Result<Self, LoggerError> {
        let mut mirror =
            config.mirror.map(|store| Mirror::new(store, config.directory.clone(), status.clone()));
        // Others wrote while this host did not: nothing is taken before all of it is here.
        let continuation = match &mut mirror {
            Some(mirror) => {
                mirror.restore().await;
                Continuation::NewSegment
            }
            None => Continuation::LastSegment,
        };
        let archive = Arc::new(Archive::open(&config.directory, continuation)?);
        let listener = serve::bind(config.listen).await?;
        let address = listener.local_addr().unwrap_or(config.listen);
        status.listens_on(address);
        let limits = Limits {
            segment_bytes: config.segment_bytes,
            retention_bytes_per_app: config.retention_bytes_per_app,
            retention_bytes: config.retention_bytes,
        };
        let key = InternalKey::new(&config.internal_key);
        let identity = config.identity;
        Ok(Self { listener, address, archive, mirror, limits, key, identity, status })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`; batches that were taken are stored before it returns.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let (writer, handle) = Writer::new(self.archive.clone(), self.limits, self.status);
        let mut ended = writer.spawn().context("failed to start the thread that writes logs")?;
        let settled = Shutdown::new();
        let mirrored =
            self.mirror.map(|mirror| tokio::spawn(mirror.run(self.archive.clone(), settled.clone())));
        let router = http::router(Service::new(self.archive, handle, shutdown.clone()), self.key);
        tokio::select! {
            served = serve::serve_as(self.identity.as_ref(), self.listener, router, shutdown) => served.context("failed to serve logs")?,
            _ = &mut ended => bail!("the thread that writes logs ended"),
        }
        // A connection that outlived the grace keeps the writer alive: what it still sends is not waited for.
        let _ = tokio::time::timeout(WRITER_GRACE, ended).await;
        settled.cancel();
        if let Some(mirrored) = mirrored {
            let _ = tokio::time::timeout(MIRROR_GRACE, mirrored).await;
        }
        Ok(())
    }
}
