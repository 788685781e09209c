//! The builder as a component: bound, then run until shutdown.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deis_runtime::serve::BindError;
use deis_runtime::{Shutdown, StatusBoard};
use deis_scheduler::Images;
use russh::keys::PrivateKey;
use russh::{MethodKind, MethodSet};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::cleanup::Cleanup;
use crate::config::{Config, HostKey};
use crate::door::Door;
use crate::host_key;
use crate::mirror::Mirror;
use crate::push::Platform;
use crate::receive::{self, HookPaths, Sessions};
use crate::repository::Repositories;
use crate::session::Workshop;
use crate::stack;

/// How long pushes that are refused at shutdown may take to tell their pushers so.
const SHUTDOWN_WORDS: Duration = Duration::from_secs(2);

/// Why a builder does not start.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// The SSH port.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The host key cannot be read or made.
    #[error("failed to open the SSH host key in {}: {source}; restore it from a backup, or remove it to have a new one made", path.display())]
    HostKey {
        /// Its directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A directory cannot be used.
    #[error("failed to prepare {}: {source}; check that it exists and belongs to the user who runs deisd", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A builder that listens.
pub struct Builder {
    workshop: Workshop,
    ssh: Arc<russh::server::Config>,
    listener: TcpListener,
    hooks: UnixListener,
    status: StatusBoard,
    address: SocketAddr,
}

impl Builder {
    /// Opens directories and keys and listens for SSH and for hooks. Clears what a killed builder left behind.
    pub async fn bind(
        config: Config,
        images: Arc<dyn Images>,
        status: StatusBoard,
    ) -> Result<Self, BuilderError> {
        let ssh = Arc::new(ssh_config(&config)?);
        let listener = deis_runtime::serve::bind(config.listen).await?;
        let address = listener.local_addr().map_err(directory(&config.run))?;
        let repositories = Repositories::new(&config.repositories);
        for path in [&config.repositories, &config.run] {
            std::fs::create_dir_all(path).map_err(directory(path))?;
        }
        repositories.sweep().map_err(directory(&config.repositories))?;
        let (hooks, paths) = receive::bind(&config.run).map_err(directory(&config.run))?;
        status.listens_on(address);
        let workshop = workshop(config, images, repositories, paths);
        Ok(Self { workshop, ssh, listener, hooks, status, address })
    }

    /// Where SSH is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`; pushes under way then have some seconds to finish before they are refused.
    pub async fn run(self, shutdown: Shutdown) -> io::Result<()> {
        // Before the first push is served: what builds at this moment was left behind by a builder that was killed.
        if let Err(error) = self.workshop.platform.images.remove_builds().await {
            warn!(%error, "failed to remove builds that were left behind; they are removed once overdue");
        }
        info!(address = %self.address, "builder listens");
        let tracker = TaskTracker::new();
        let stopped = CancellationToken::new();
        let hooks = receive::serve(self.hooks, self.workshop.sessions.clone());
        let hooks = tokio::spawn(stopped.clone().run_until_cancelled_owned(hooks));
        let cleanup = Cleanup::new(&self.workshop, self.status.clone());
        let cleanup = tokio::spawn(shutdown.clone().run_until_cancelled_owned(cleanup.run()));
        let stack = stack::keep(self.workshop.platform.clone());
        let stack = tokio::spawn(shutdown.clone().run_until_cancelled_owned(stack));
        let door = Door {
            workshop: self.workshop.clone(),
            ssh: self.ssh,
            tracker: tracker.clone(),
            all: Arc::new(Semaphore::new(self.workshop.platform.settings.limits.connections)),
            unauthenticated: Arc::new(Semaphore::new(self.workshop.platform.settings.limits.unauthenticated)),
            closing: shutdown.clone(),
        };
        let accepting = door.accept(self.listener);
        shutdown.run_until_cancelled(accepting).await;
        tracker.close();
        let grace = self.workshop.platform.settings.limits.shutdown_grace;
        if tokio::time::timeout(grace, tracker.wait()).await.is_err() {
            self.workshop.ending.cancel();
            let _ = tokio::time::timeout(SHUTDOWN_WORDS, tracker.wait()).await;
        }
        stopped.cancel();
        let _ = tokio::join!(hooks, cleanup, stack);
        Ok(())
    }
}

fn directory(path: &std::path::Path) -> impl FnOnce(io::Error) -> BuilderError {
    let path = path.to_owned();
    move |source| BuilderError::Directory { path, source }
}

fn workshop(
    config: Config,
    images: Arc<dyn Images>,
    repositories: Repositories,
    hooks: HookPaths,
) -> Workshop {
    let controller = config.controller.clone();
    let mirror = config.mirror.clone().map(|store| Mirror::new(store, controller.clone()));
    let platform = Platform { settings: Arc::new(config), controller, images, stack_moving: Arc::default() };
    let ending = CancellationToken::new();
    Workshop { platform, repositories, mirror, sessions: Sessions::default(), hooks, ending }
}

fn ssh_config(config: &Config) -> Result<russh::server::Config, BuilderError> {
    let key = host_key(config)?;
    Ok(russh::server::Config {
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::KeyboardInteractive][..]),
        // Keys are no secrets to be guessed: a slow refusal only hurts users with many of them.
        auth_rejection_time: Duration::from_millis(50),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: config.limits.auth_attempts,
        keys: vec![key],
        inactivity_timeout: Some(Duration::from_secs(600)),
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 4,
        nodelay: true,
        ..russh::server::Config::default()
    })
}

fn host_key(config: &Config) -> Result<PrivateKey, BuilderError> {
    let (path, key) = match &config.host_key {
        HostKey::Kept(directory) => {
            let opened = std::fs::create_dir_all(directory).and_then(|()| host_key::open(directory));
            (directory.clone(), opened)
        }
        HostKey::Derived => (PathBuf::from("the internal key"), host_key::derive(&config.internal_key)),
    };
    key.map_err(|source| BuilderError::HostKey { path, source })
}
