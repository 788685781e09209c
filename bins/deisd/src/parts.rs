//! Each role as this process runs it: opened with the settings, and ready to work.

mod address;
mod builder;
mod client;
mod controller;
mod database;
mod publisher;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, bail};
use deis_runtime::{Claim, DataDir, Identity, Role, Secrets, Shutdown, StatusBoard};
use deis_scheduler::{Credentials, Engine};
use deis_store::ObjectStore;

use crate::settings::Settings;

/// A role's work.
pub(crate) type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// What roles are made from.
pub(crate) struct Parts {
    pub(crate) settings: Settings,
    pub(crate) data: DataDir,
    /// Held until the process ends.
    pub(crate) claims: BTreeMap<Role, Claim>,
    secrets: Secrets,
    /// Who this process is to other hosts; none on one machine.
    identity: Option<Identity>,
    pub(crate) shutdown: Shutdown,
}

impl Parts {
    /// Reads keys and certificates for `roles`.
    pub(crate) fn open(
        settings: Settings,
        data: DataDir,
        claims: BTreeMap<Role, Claim>,
        roles: &[Role],
    ) -> anyhow::Result<Self> {
        let secrets = open_secrets(&settings, &data)?;
        let identity = settings.identity.as_deref();
        let identity = identity.map(|path| identify(path, &settings.host, roles)).transpose()?;
        Ok(Self { settings, data, claims, secrets, identity, shutdown: Shutdown::new() })
    }

    /// How this platform is known to the engine.
    pub(crate) fn engine_options(&self) -> deis_scheduler::Options {
        deis_scheduler::Options {
            platform: self.settings.network.clone(),
            network: self.settings.network.clone(),
            registry: Some((self.settings.registry.to_string(), self.registry_credentials())),
            stop_grace: self.settings.stop_grace,
        }
    }

    /// Tells operators on other hosts what `board` says; none where there are no other hosts.
    pub(crate) fn status_for_operators(&self, board: StatusBoard) -> Option<Running> {
        let (address, identity) = self.settings.status.zip(self.identity.clone())?;
        let (key, shutdown) = (self.secrets.internal_key.clone(), self.shutdown.clone());
        Some(Box::pin(async move { Ok(board.serve_operators(address, identity, &key, shutdown).await?) }))
    }

    /// Opens everything the role needs; the future is its work.
    pub(crate) async fn bind(
        &self,
        role: Role,
        engine: Option<Engine>,
        status: StatusBoard,
    ) -> anyhow::Result<Running> {
        let engine = || engine.context("this role needs the container engine");
        match role {
            Role::Logger => self.logger(status).await,
            Role::Registry => self.registry(status).await,
            Role::Router => self.router(status),
            Role::Controller => self.controller(engine()?, status).await,
            Role::Builder => self.builder(engine()?, status).await,
            Role::Publisher => self.publisher(engine()?, status).await,
            Role::Logspout => self.logspout(engine()?, status),
            Role::Database => self.database(status).await,
        }
    }

    async fn logger(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let mut config = deis_logger::Config::new(self.data.directory("logs")?, &self.secrets.internal_key);
        config.listen = self.settings.logger;
        config.retention_bytes_per_app = self.settings.log_retention_bytes_per_app;
        config.retention_bytes = self.settings.log_retention_bytes;
        config.mirror = self.mirror().await?;
        config.identity.clone_from(&self.identity);
        let logger = deis_logger::Logger::bind(config, status).await?;
        Ok(Box::pin(logger.run(self.shutdown.clone())))
    }

    async fn registry(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let store = deis_store::open(&self.settings.store).await?;
        let Credentials { username, password } = self.registry_credentials();
        let registry = deis_registry::Registry::bind(deis_registry::Config {
            listen: self.settings.registry_listen,
            store,
            credentials: deis_registry::Credentials { username, password },
            limits: deis_registry::Limits::default(),
            identity: self.identity.clone(),
            status,
        });
        let registry = registry.await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(registry.run(shutdown).await?) }))
    }

    fn router(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let mut config =
            deis_router::Config::new(self.secrets.internal_key.clone(), self.data.directory("router")?);
        config.controllers = self.peers(&self.settings.controllers, Role::Controller);
        config.loggers = Some(self.peers(&self.settings.loggers, Role::Logger));
        config.access_log = Some(self.data.directory("journal")?.join("access.log"));
        config.name.clone_from(&self.settings.host);
        config.http.clone_from(&self.settings.http);
        config.https.clone_from(&self.settings.https);
        config.git.clone_from(&self.settings.git);
        config.health.clone_from(&self.settings.health);
        config.timeouts.notice = self.settings.ending.notice.duration();
        config.timeouts.shutdown = self.settings.ending.drain.duration();
        config.takes_over = self.claims.get(&Role::Router).is_some_and(|claim| !claim.is_only());
        let router = deis_router::Router::bind(config, status)?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(router.run(shutdown).await?) }))
    }

    fn logspout(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let logger = self.client(&self.settings.loggers, Role::Logger);
        let config = deis_agent::logspout::Config { engine, logger, spool: self.data.directory("spool")? };
        let logspout = deis_agent::logspout::Logspout::open(config, status)?;
        Ok(Box::pin(logspout.run(self.shutdown.clone())))
    }

    /// Where roles that may move keep a copy of what is theirs; none where the store is on this machine as well.
    async fn mirror(&self) -> anyhow::Result<Option<Arc<dyn ObjectStore>>> {
        match self.settings.store.starts_with("file:") {
            true => Ok(None),
            false => Ok(Some(deis_store::open(&self.settings.store).await?)),
        }
    }
}

/// The platform's own keys: made where they are missing on one machine, given by `deisctl` elsewhere.
fn open_secrets(settings: &Settings, data: &DataDir) -> anyhow::Result<Secrets> {
    let directory = &settings.secrets_dir;
    if *directory == data.root().join("secrets") {
        data.directory("secrets")?;
    }
    Ok(Secrets::open_in(directory)?)
}

/// Who this process is: its bundle is that of the one role that it runs.
fn identify(path: &Path, host: &str, roles: &[Role]) -> anyhow::Result<Identity> {
    let identity = Identity::load(path, host)?;
    match roles {
        [role] if role.as_str() == identity.role() => Ok(identity),
        _ => bail!(
            "{} makes this process a {}: run that role alone with it, or leave the setting `identity` out",
            path.display(),
            identity.role()
        ),
    }
}
