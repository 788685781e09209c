//! Each role as this process runs it: opened with the settings, and ready to work.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use deis_agent::firewall::Firewall;
use deis_agent::images::{self, Forwarder};
use deis_api::client::{Credential, InternalClient, Peers};
use deis_model::Environment;
use deis_runtime::identity::IdentityFiles;
use deis_runtime::{Claim, DataDir, Identity, Role, Secrets, Shutdown, StatusBoard};
use deis_scheduler::{Credentials, Engine};
use deis_store::ObjectStore;

use crate::settings::Settings;

/// The registry account that components use.
const REGISTRY_USER: &str = "deis";
/// How long a one-off command may run.
const JOB_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// Variables of this process that builds get as well: proxies and package mirrors.
const BUILD_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "PIP_INDEX_URL",
    "NPM_CONFIG_REGISTRY",
];

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
        config.name.clone_from(&self.settings.host);
        config.http = self.settings.http;
        config.git = self.settings.git;
        config.health = self.settings.health;
        config.takes_over = self.claims.get(&Role::Router).is_some_and(|claim| !claim.is_only());
        let router = deis_router::Router::bind(config, status)?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(router.run(shutdown).await?) }))
    }

    async fn controller(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let files = self.identity_files()?;
        let here = settings.controllers.iter().find(|address| is_here(**address));
        let others = settings.controllers.iter().filter(|address| Some(*address) != here);
        let controller = deis_controller::Controller::bind(deis_controller::Config {
            listen: settings.controller,
            name: settings.host.clone(),
            url: here.map(|address| self.url(*address)),
            peers: others.map(|address| self.url(*address)).collect(),
            dial: self.dial(),
            controllers: settings.controllers.clone(),
            database: deis_database::Database::open(&settings.database).await?,
            engine,
            deploys: self.deploy_settings(),
            internal_key: self.secrets.internal_key.clone(),
            registry: settings.registry.to_string(),
            registry_client: self.registry_client(),
            logger: self.client(&settings.loggers, Role::Logger),
            builders: settings.builders.clone(),
            identity: self.identity.clone(),
            status,
        });
        let controller = controller.await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move {
            let keeping = async {
                if let Some(files) = files {
                    files.keep(shutdown.clone()).await;
                }
            };
            let (ended, ()) = tokio::join!(controller.run(shutdown.clone()), keeping);
            Ok(ended?)
        }))
    }

    /// This process's certificate as PostgreSQL's client reads it: `identity/{roots.crt,leaf.crt,leaf.key}`.
    fn identity_files(&self) -> anyhow::Result<Option<IdentityFiles>> {
        let Some(identity) = self.identity.clone() else { return Ok(None) };
        let directory = self.data.directory("identity")?;
        let files = IdentityFiles::write(identity, &directory);
        files.map(Some).with_context(|| format!("failed to write certificates to {}", directory.display()))
    }

    /// The base URL of the role at `address`.
    fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }

    /// Makes clients of other controllers from their base URLs.
    fn dial(&self) -> Arc<dyn Fn(&str) -> InternalClient + Send + Sync> {
        let key = Credential::Key(self.secrets.internal_key.clone());
        let tls = self.identity.as_ref().map(|identity| identity.client(Role::Controller));
        Arc::new(move |url| {
            let address = url.split_once("://").map_or(url, |(_, address)| address);
            InternalClient::over(Peers::new([address], tls.clone()), key.clone())
        })
    }

    fn deploy_settings(&self) -> deis_controller::reconcile::DeploySettings {
        deis_controller::reconcile::DeploySettings {
            domain: self.settings.domain.clone(),
            ready_timeout: self.settings.ready_timeout,
            drain_timeout: self.settings.drain_timeout,
            stop_grace: self.settings.stop_grace,
            job_timeout: JOB_TIMEOUT,
        }
    }

    async fn builder(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let credentials = self.registry_credentials();
        let mut config = deis_builder::Config::new(&self.data, &self.secrets.internal_key, credentials)?;
        config.listen = settings.builder;
        config.controller = self.client(&settings.controllers, Role::Controller);
        config.registry = settings.registry.to_string();
        config.mirror = self.mirror().await?;
        if self.identity.is_some() {
            config.host_key = deis_builder::HostKey::Derived;
        }
        config.stack_image.clone_from(&settings.stack_image);
        config.build_environment = build_environment();
        config.router_port = Some(settings.http.port()).filter(|port| *port != 80);
        let builder = deis_builder::Builder::bind(config, engine.images, status).await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(builder.run(shutdown).await?) }))
    }

    async fn publisher(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let controller = self.client(&self.settings.controllers, Role::Controller);
        let config = deis_agent::publisher::Config { host: self.settings.host.clone(), engine, controller };
        let forwarder = self.forwarder(&status).await?;
        let firewall = self.identity.as_ref().map(|_| Firewall::new(self.settings.roles(), status.clone()));
        let publisher = deis_agent::publisher::Publisher::open(config, status);
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move {
            let forwarding = async {
                match forwarder {
                    Some(forwarder) => forwarder.run(shutdown.clone()).await,
                    None => Ok(()),
                }
            };
            let guarding = async {
                match firewall {
                    Some(firewall) => firewall.run(shutdown.clone()).await,
                    None => Ok(()),
                }
            };
            tokio::try_join!(publisher.run(shutdown.clone()), forwarding, guarding).map(drop)
        }))
    }

    /// Images for the engine of this host, where the registry is elsewhere.
    async fn forwarder(&self, status: &StatusBoard) -> anyhow::Result<Option<Forwarder>> {
        if self.settings.registries.contains(&self.settings.registry) {
            return Ok(None);
        }
        let config = images::Config {
            listen: self.settings.registry,
            registry: self.registry_client(),
            pushes: self.settings.builders.iter().any(|address| is_here(*address)),
        };
        Forwarder::bind(config, status.clone()).await.map(Some)
    }

    fn logspout(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let logger = self.client(&self.settings.loggers, Role::Logger);
        let config = deis_agent::logspout::Config { engine, logger, spool: self.data.directory("spool")? };
        let logspout = deis_agent::logspout::Logspout::open(config, status)?;
        Ok(Box::pin(logspout.run(self.shutdown.clone())))
    }

    async fn database(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let password = |name: &str| {
            let path = settings.secrets_dir.join(name);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()));
            text.map(|text| text.trim().to_owned())
        };
        let passwords = deis_postgres::Passwords {
            superuser: password("database.superuser")?,
            replication: password("database.replication")?,
            platform: password("database.password")?,
        };
        let (directory, members) = (settings.database_dir.clone(), settings.database_members.clone());
        let store = deis_store::open(&settings.store).await?;
        let mut config = deis_postgres::Config::new(directory, &settings.host, members, passwords, store);
        config.identity.clone_from(&settings.identity);
        let keeper = deis_postgres::Keeper::bind(config, status).await?;
        Ok(Box::pin(keeper.run(self.shutdown.clone())))
    }

    /// Those who play `role`, at one of `addresses`.
    fn peers(&self, addresses: &[SocketAddr], role: Role) -> Peers {
        Peers::new(addresses, self.identity.as_ref().map(|identity| identity.client(role)))
    }

    fn client(&self, addresses: &[SocketAddr], role: Role) -> InternalClient {
        let key = Credential::Key(self.secrets.internal_key.clone());
        InternalClient::over(self.peers(addresses, role), key)
    }

    fn registry_client(&self) -> InternalClient {
        let Credentials { username, password } = self.registry_credentials();
        let account = Credential::Account { username, password };
        InternalClient::over(self.peers(&self.settings.registries, Role::Registry), account)
    }

    fn registry_credentials(&self) -> Credentials {
        Credentials { username: REGISTRY_USER.to_owned(), password: self.secrets.registry_password.clone() }
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

/// Whether `address` is one of this host's.
fn is_here(address: SocketAddr) -> bool {
    UdpSocket::bind((address.ip(), 0)).is_ok()
}

/// What builds need to reach package indexes from where this process runs.
fn build_environment() -> Environment {
    let set = BUILD_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    Environment(set.collect())
}
