//! The controller as a role: `Config`, `bind`, `run`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use deis_api::client::InternalClient;
use deis_api::internal::{Leader, PlatformRoutes};
use deis_database::Database;
use deis_runtime::auth::InternalKey;
use deis_runtime::serve::{BindError, bind, serve_as};
use deis_runtime::{Identity, Shutdown, StatusBoard, require_internal_key, secrets};
use deis_scheduler::Engine;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Vault;
use crate::acme::{AcmeParts, Keeper, Routers};
use crate::app::{Deploys, Events};
use crate::deployer::Deployer;
use crate::garbage::Garbage;
use crate::http::{ApiState, api, leader_router};
use crate::lead::{DatabaseLeases, Dial, Leadership, LedScheduler, OpenTerm, Pace, Seat, Term, TermParts};
use crate::reconcile::DeploySettings;
use crate::routes::{ROUTER_GRACE, RouteBook, Routing};
use crate::steady::steadily;

/// Everything a controller is told. No `Debug`: it holds a secret.
pub struct Config {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Names this controller among those that share the database; stays the same when it starts again.
    pub name: String,
    /// Its base URL as other components call it (`http://10.0.0.1:8000`); by default made from where it listens.
    pub url: Option<String>,
    /// Base URLs of the other controllers, as far as they are known; none: this is the only one.
    pub peers: Vec<String>,
    /// Makes clients of other controllers.
    pub dial: Dial,
    /// Shown to other components, and asked of them; none on one machine.
    pub identity: Option<Identity>,
    /// Where routers find the API; by default only here.
    pub controllers: Vec<SocketAddr>,
    /// Desired state.
    pub database: Database,
    /// Runs containers.
    pub engine: Engine,
    /// How deploys behave; holds the platform's domain.
    pub deploys: DeploySettings,
    /// Authenticates calls between components.
    pub internal_key: String,
    /// Seals what the database must not give away.
    pub vault: Vault,
    /// The registry as images are named after it: `host:port`.
    pub registry: String,
    /// Calls the registry.
    pub registry_client: InternalClient,
    /// Calls the logger.
    pub logger: InternalClient,
    /// Where routers send git over SSH.
    pub builders: Vec<SocketAddr>,
    /// What is wrong, for operators.
    pub status: StatusBoard,
}

/// Why a controller could not start.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// Its address is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// It stopped serving.
    #[error("failed to serve the API: {0}")]
    Serve(#[from] std::io::Error),
}

/// A controller that listens.
pub struct Controller {
    listener: TcpListener,
    address: SocketAddr,
    config: Config,
}

impl Controller {
    /// Listens, and serves from [`Controller::run`] on.
    pub async fn bind(config: Config) -> Result<Self, ControllerError> {
        let listener = bind(config.listen).await?;
        let address = listener.local_addr()?;
        config.status.listens_on(address);
        Ok(Self { listener, address, config })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves the API until `shutdown`, and leads whenever no other controller does.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), ControllerError> {
        let Self { listener, address, config } = self;
        let identity = config.identity.clone();
        let events = Events::start(config.logger.clone(), shutdown.clone());
        let (seat, seats) = watch::channel(Seat::Following(Leader::default()));
        let url = config.url.clone().unwrap_or_else(|| format!("http://{address}"));
        let pace = if config.peers.is_empty() { Pace::ALONE } else { Pace::SHARED };
        let leadership = Leadership {
            leases: Arc::new(DatabaseLeases {
                database: config.database.clone(),
                holder: config.name.clone(),
                url: url.clone(),
                ttl: pace.ttl,
            }),
            pace,
            open_term: open_term(&config, address, url, events.clone(), shutdown.clone()),
            peers: config.peers.clone(),
            dial: Arc::clone(&config.dial),
            seat,
            status: config.status.clone(),
            shutdown: shutdown.clone(),
            served: Shutdown::new(),
        };
        let key = InternalKey::new(&config.internal_key);
        let led = leader_router(seats.clone()).layer(from_fn_with_state(key, require_internal_key));
        let deployer = Deployer {
            database: config.database.clone(),
            scheduler: config.engine.scheduler,
            settings: config.deploys.clone(),
            seats,
            dial: config.dial,
        };
        let public = api(ApiState {
            database: config.database,
            deploys: Arc::new(deployer) as Arc<dyn Deploys>,
            events,
            domain: config.deploys.domain,
            logger: config.logger,
            registry_host: config.registry,
            internal_key: config.internal_key,
            vault: config.vault,
        });
        let ended = leadership.served.clone();
        let serving = async {
            let served = serve_as(identity.as_ref(), listener, public.merge(led), shutdown).await;
            ended.cancel();
            served
        };
        let (served, ()) = tokio::join!(serving, leadership.run());
        Ok(served?)
    }
}

/// Begins terms: each with routes of its own, since another controller may have led meanwhile.
fn open_term(
    config: &Config,
    address: SocketAddr,
    url: String,
    events: Events,
    shutdown: Shutdown,
) -> OpenTerm {
    let platform = platform_routes(config, address);
    let (database, engine, settings) =
        (config.database.clone(), config.engine.clone(), config.deploys.clone());
    let (vault, status) = (config.vault.clone(), config.status.clone());
    let (registry, host) = (config.registry_client.clone(), config.registry.clone());
    Box::new(move |lease, gate| {
        let database = database.fenced(lease);
        let book = RouteBook::new(secrets::random_hex(), platform.clone(), ROUTER_GRACE);
        let parts = TermParts {
            database: database.clone(),
            scheduler: Arc::new(LedScheduler::new(Arc::clone(&engine.scheduler), gate.clone())),
            output: Arc::clone(&engine.output),
            events: events.clone(),
            settings: settings.clone(),
            routing: Arc::new(Routing::new(book)),
            vault: vault.clone(),
            leader: Leader { url: Some(url.clone()), epoch: lease.epoch },
        };
        let term = Term::new(parts, shutdown.child_token());
        let certificates = AcmeParts {
            database: database.clone(),
            vault: vault.clone(),
            routers: Arc::clone(&term.routing().book) as Arc<dyn Routers>,
            events: events.clone(),
            status: status.clone(),
            gate: gate.clone(),
            domain: settings.domain.clone(),
            clock: Arc::new(OffsetDateTime::now_utc),
        };
        term.spawn(async move {
            steadily("certificates", || Keeper::new(certificates.clone()).run()).await;
        });
        let garbage = Garbage { database, registry: registry.clone(), host: host.clone(), gate };
        term.spawn(async move { steadily("garbage", || garbage.run()).await });
        term
    })
}

fn platform_routes(config: &Config, address: SocketAddr) -> PlatformRoutes {
    let controllers = match config.controllers.is_empty() {
        true => vec![address],
        false => config.controllers.clone(),
    };
    PlatformRoutes {
        controller_hosts: vec![format!("deis.{}", config.deploys.domain)],
        controllers,
        builders: config.builders.clone(),
        drain_seconds: u32::try_from(config.deploys.drain_timeout.as_secs()).ok(),
        ..PlatformRoutes::default()
    }
}
