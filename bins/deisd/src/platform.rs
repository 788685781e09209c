//! Running roles until told to end.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use deis_api::client::{InternalClient, Peers};
use deis_model::Environment;
use deis_runtime::{Claim, DataDir, Role, Secrets, Shutdown, StatusBoard, telemetry};
use deis_scheduler::{Credentials, Engine, SchedulerError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::settings::Settings;

/// The registry account that components use.
const REGISTRY_USER: &str = "deis";
/// How soon an engine that does not answer is asked again.
const ENGINE_RETRY: Duration = Duration::from_secs(1);
/// How long roles may take to end after they were told to.
const END_TIMEOUT: Duration = Duration::from_secs(45);

/// What roles share in one process.
struct Platform {
    settings: Settings,
    data: DataDir,
    /// Held until the process ends.
    claims: BTreeMap<Role, Claim>,
    secrets: Secrets,
    shutdown: Shutdown,
}

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

/// The roles at work.
type Tasks = JoinSet<(Role, anyhow::Result<()>)>;
/// A role's work.
type Running = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Runs `roles`, or all of them, until SIGTERM or SIGINT.
pub(crate) fn run(settings: Settings, roles: Vec<Role>) -> anyhow::Result<()> {
    let roles = if roles.is_empty() { Role::ALL.to_vec() } else { roles };
    let data = DataDir::open(&settings.data_dir)?;
    let claims = claim(&data, &roles)?;
    start_telemetry(&data, &roles)?;
    raise_open_files();
    let secrets = Secrets::open(&data).map_err(|error| anyhow::anyhow!("{error}"))?;
    let platform = Platform { settings, data, claims, secrets, shutdown: Shutdown::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start threads")?;
    runtime.block_on(platform.run(roles))
}

/// Every visitor takes two files, so the soft limit of 1,024 that shells hand on is raised as far as is allowed.
fn raise_open_files() {
    let allowed = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum });
    if let Err(error) = raised {
        warn!(%error, "failed to raise the limit of open files; many visitors at once may be refused");
    }
}

/// Claims every one of `roles`, before anything of theirs is touched.
fn claim(data: &DataDir, roles: &[Role]) -> anyhow::Result<BTreeMap<Role, Claim>> {
    roles.iter().map(|role| Ok((*role, Claim::take(data, *role)?))).collect()
}

fn start_telemetry(data: &DataDir, roles: &[Role]) -> anyhow::Result<()> {
    let name = match roles {
        [role] => role.to_string(),
        _ => "deisd".to_owned(),
    };
    let journal = data.directory("journal")?;
    telemetry::start(&journal, &name).with_context(|| format!("failed to log to {}", journal.display()))
}

impl Platform {
    async fn run(self, roles: Vec<Role>) -> anyhow::Result<()> {
        let mut running = JoinSet::new();
        let boards: Vec<(Role, StatusBoard)> =
            roles.into_iter().map(|role| (role, StatusBoard::new(role))).collect();
        for (role, board) in &boards {
            self.answer(*role, board.clone(), &mut running);
        }
        tokio::select! {
            started = self.start_all(&boards, &mut running) => started?,
            () = end_signal() => self.shutdown.cancel(),
        }
        self.supervise(running).await
    }

    /// Lets the role's status be asked for, also while it still waits for something.
    fn answer(&self, role: Role, board: StatusBoard, running: &mut Tasks) {
        let (data, shutdown) = (self.data.clone(), self.shutdown.clone());
        running.spawn(async move {
            (role, board.serve(&data, role, shutdown).await.context("failed to answer on the status socket"))
        });
    }

    async fn start_all(&self, boards: &[(Role, StatusBoard)], running: &mut Tasks) -> anyhow::Result<()> {
        let (with_engine, without): (Vec<_>, Vec<_>) =
            boards.iter().partition(|(role, _)| needs_engine(*role));
        // Visitors come first: the router serves its last table while everything else still starts.
        for (role, board) in without {
            self.start(*role, None, board, running).await?;
        }
        let Some((_, board)) = with_engine.first() else { return Ok(()) };
        let engine = self.await_engine(board).await?;
        for (role, board) in with_engine {
            self.start(*role, Some(engine.clone()), board, running).await?;
        }
        Ok(())
    }

    async fn start(
        &self,
        role: Role,
        engine: Option<Engine>,
        board: &StatusBoard,
        running: &mut Tasks,
    ) -> anyhow::Result<()> {
        let work = self
            .bind(role, engine, board.clone())
            .await
            .with_context(|| format!("failed to start the {role}"))?;
        running.spawn(async move { (role, work.await) });
        info!(role = %role, "started");
        Ok(())
    }

    /// Opens the engine, however long it takes to answer: what runs needs nobody meanwhile.
    async fn await_engine(&self, board: &StatusBoard) -> anyhow::Result<Engine> {
        let options = || deis_scheduler::Options {
            platform: self.settings.network.clone(),
            network: self.settings.network.clone(),
            registry: Some((self.settings.registry.to_string(), self.registry_credentials())),
        };
        let mut told = false;
        loop {
            match deis_scheduler::open(&self.settings.scheduler, options()).await {
                Ok(engine) => {
                    board.well("engine");
                    return Ok(engine);
                }
                Err(error @ SchedulerError::Url { .. }) => return Err(error.into()),
                Err(error) => {
                    if !told {
                        warn!(error = %error, "waiting for the container engine");
                    }
                    told = true;
                    board.trouble(
                        "engine",
                        &error,
                        "start the container engine (as in: systemctl start docker)",
                    );
                    tokio::time::sleep(ENGINE_RETRY).await;
                }
            }
        }
    }

    /// Waits for the end of any role or a signal; then has all of them end in good order.
    async fn supervise(self, mut running: Tasks) -> anyhow::Result<()> {
        let first = tokio::select! {
            ended = running.join_next() => ended,
            () = end_signal() => None,
            () = self.shutdown.cancelled() => None,
        };
        self.shutdown.cancel();
        let outcome = first.map_or(Ok(()), judge);
        let rest = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(END_TIMEOUT, rest).await.is_err() {
            warn!("some roles did not end in time");
        }
        outcome
    }

    /// Opens everything the role needs; the future is its work.
    async fn bind(&self, role: Role, engine: Option<Engine>, status: StatusBoard) -> anyhow::Result<Running> {
        let engine = || engine.context("this role needs the container engine");
        match role {
            Role::Logger => self.logger(status).await,
            Role::Registry => self.registry(status).await,
            Role::Router => self.router(status).await,
            Role::Controller => self.controller(engine()?, status).await,
            Role::Builder => self.builder(engine()?, status).await,
            Role::Publisher => Ok(self.publisher(engine()?, status)),
            Role::Logspout => self.logspout(engine()?, status),
        }
    }

    async fn logger(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let mut config = deis_logger::Config::new(self.data.directory("logs")?, &self.secrets.internal_key);
        config.listen = self.settings.logger;
        config.retention_bytes_per_app = self.settings.log_retention_bytes_per_app;
        config.retention_bytes = self.settings.log_retention_bytes;
        let logger = deis_logger::Logger::bind(config, status).await?;
        Ok(Box::pin(logger.run(self.shutdown.clone())))
    }

    async fn registry(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let store = deis_store::open(&self.settings.store).await?;
        let Credentials { username, password } = self.registry_credentials();
        let registry = deis_registry::Registry::bind(deis_registry::Config {
            listen: self.settings.registry,
            store,
            credentials: deis_registry::Credentials { username, password },
            limits: deis_registry::Limits::default(),
            status,
        });
        let registry = registry.await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(registry.run(shutdown).await?) }))
    }

    async fn router(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let mut config =
            deis_router::Config::new(self.secrets.internal_key.clone(), self.data.directory("router")?);
        config.controllers = Peers::new([self.settings.controller], None);
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
        let controller = deis_controller::Controller::bind(deis_controller::Config {
            listen: settings.controller,
            database: deis_database::Database::open(&settings.database).await?,
            engine,
            deploys: self.deploy_settings(),
            internal_key: self.secrets.internal_key.clone(),
            registry: settings.registry.to_string(),
            registry_client: self.registry_client(),
            logger: format!("http://{}", settings.logger),
            builders: vec![settings.builder],
            status,
        });
        let controller = controller.await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(controller.run(shutdown).await?) }))
    }

    fn deploy_settings(&self) -> deis_controller::reconcile::DeploySettings {
        deis_controller::reconcile::DeploySettings {
            domain: self.settings.domain.clone(),
            ready_timeout: self.settings.ready_timeout,
            drain_timeout: self.settings.drain_timeout,
            stop_grace: self.settings.stop_grace,
            job_timeout: Duration::from_secs(20 * 60),
        }
    }

    async fn builder(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let credentials = self.registry_credentials();
        let mut config = deis_builder::Config::new(&self.data, &self.secrets.internal_key, credentials)?;
        config.listen = settings.builder;
        config.controller = self.controller_url();
        config.registry = settings.registry.to_string();
        config.stack_image.clone_from(&settings.stack_image);
        config.build_environment = build_environment();
        config.router_port = Some(settings.http.port()).filter(|port| *port != 80);
        let builder = deis_builder::Builder::bind(config, engine.images, status).await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move { Ok(builder.run(shutdown).await?) }))
    }

    fn publisher(&self, engine: Engine, status: StatusBoard) -> Running {
        let controller = InternalClient::new(&self.controller_url(), &self.secrets.internal_key);
        let config = deis_agent::publisher::Config { host: self.settings.host.clone(), engine, controller };
        Box::pin(deis_agent::publisher::Publisher::open(config, status).run(self.shutdown.clone()))
    }

    fn logspout(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let logger =
            InternalClient::new(&format!("http://{}", self.settings.logger), &self.secrets.internal_key);
        let config = deis_agent::logspout::Config { engine, logger, spool: self.data.directory("spool")? };
        let logspout = deis_agent::logspout::Logspout::open(config, status)?;
        Ok(Box::pin(logspout.run(self.shutdown.clone())))
    }

    fn controller_url(&self) -> String {
        format!("http://{}", self.settings.controller)
    }

    fn registry_client(&self) -> InternalClient {
        let Credentials { username, password } = self.registry_credentials();
        InternalClient::of_registry(&format!("http://{}", self.settings.registry), &username, &password)
    }

    fn registry_credentials(&self) -> Credentials {
        Credentials { username: REGISTRY_USER.to_owned(), password: self.secrets.registry_password.clone() }
    }
}

/// What builds need to reach package indexes from where this process runs.
fn build_environment() -> Environment {
    let set = BUILD_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)));
    Environment(set.collect())
}

/// A role that ends before it is told to takes the process with it, so that whoever watches the process starts it anew.
fn judge(ended: Result<(Role, anyhow::Result<()>), tokio::task::JoinError>) -> anyhow::Result<()> {
    match ended {
        Ok((role, Ok(()))) => bail!("the {role} ended by itself"),
        Ok((role, Err(error))) => Err(error.context(format!("the {role} failed"))),
        Err(error) => Err(error).context("a role panicked"),
    }
}

/// Waits for SIGTERM or SIGINT.
async fn end_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn needs_engine(role: Role) -> bool {
    matches!(role, Role::Controller | Role::Builder | Role::Publisher | Role::Logspout)
}
