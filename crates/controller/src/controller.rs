//! The controller as a role: `Config`, `bind`, `run`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use deis_api::client::InternalClient;
use deis_api::internal::PlatformRoutes;
use deis_database::Database;
use deis_runtime::auth::InternalKey;
use deis_runtime::serve::{BindError, bind, serve};
use deis_runtime::{Shutdown, StatusBoard, require_internal_key, secrets};
use deis_scheduler::Engine;
use tokio::net::TcpListener;

use crate::app::{Deploys, Events};
use crate::garbage::Garbage;
use crate::http::{ApiState, api};
use crate::reconcile::{DeploySettings, Parts, Reconciler};
use crate::routes::{ROUTER_GRACE, Reports, RouteBook, RoutesState, routes_router};

/// Everything a controller is told. No `Debug`: it holds a secret.
pub struct Config {
    /// Where the API is served.
    pub listen: SocketAddr,
    /// Desired state.
    pub database: Database,
    /// Runs containers.
    pub engine: Engine,
    /// How deploys behave; holds the platform's domain.
    pub deploys: DeploySettings,
    /// Authenticates calls between components.
    pub internal_key: String,
    /// The registry as images are named after it: `host:port`.
    pub registry: String,
    /// Calls the registry.
    pub registry_client: InternalClient,
    /// The logger's base URL.
    pub logger: String,
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

    /// Serves and reconciles until `shutdown`.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), ControllerError> {
        let Self { listener, address, config } = self;
        let logger = InternalClient::new(&config.logger, &config.internal_key);
        let events = Events::start(logger.clone(), shutdown.clone());
        let book =
            Arc::new(RouteBook::new(secrets::random_hex(), platform_routes(&config, address), ROUTER_GRACE));
        let reports = Arc::new(Reports::default());
        let reconciler = Reconciler::new(Parts {
            database: config.database.clone(),
            scheduler: Arc::clone(&config.engine.scheduler),
            output: Arc::clone(&config.engine.output),
            book: Arc::clone(&book),
            reports: Arc::clone(&reports),
            events: events.clone(),
            settings: config.deploys.clone(),
            shutdown: shutdown.clone(),
        });
        let waking = reconciler.clone();
        let routes = routes_router(RoutesState {
            book,
            reports,
            database: config.database.clone(),
            wake: Arc::new(move |apps| waking.wake_all(apps)),
        });
        let garbage = Garbage {
            database: config.database.clone(),
            registry: config.registry_client,
            host: config.registry.clone(),
        };
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(garbage.run()));
        let key = InternalKey::new(&config.internal_key);
        let public = api(ApiState {
            database: config.database,
            deploys: Arc::new(reconciler.clone()) as Arc<dyn Deploys>,
            events,
            domain: config.deploys.domain,
            logger,
            registry_host: config.registry,
            internal_key: config.internal_key,
        });
        let router = public.merge(routes.layer(from_fn_with_state(key, require_internal_key)));
        let (served, ()) = tokio::join!(serve(listener, router, shutdown.clone()), reconciler.run());
        Ok(served?)
    }
}

fn platform_routes(config: &Config, address: SocketAddr) -> PlatformRoutes {
    PlatformRoutes {
        controller_hosts: vec![format!("deis.{}", config.deploys.domain)],
        controllers: vec![address],
        builders: config.builders.clone(),
    }
}
