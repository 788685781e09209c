//! The router as a component: binding, running, ending without anybody noticing.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use deis_model::routing::MeshSettings;
use deis_runtime::{Shutdown, StatusBoard};

use crate::access::{AccessLog, Shipping};
use crate::config::Config;
use crate::doors::Doors;
use crate::error::RouterError;
use crate::follow::Follower;
use crate::h1::Pulses;
use crate::persist::Keeper;
use crate::routes::Routes;
use crate::shared::Shared;
use crate::tls;

/// How long visitors wait at the start for a controller that neither answers nor refuses.
const FIRST_ROUTES: Duration = Duration::from_secs(1);

/// How often idle connections to endpoints are looked through.
const REAP: Duration = Duration::from_secs(5);

/// Where a router listens, in the order of its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Visitors.
    pub http: Vec<SocketAddr>,
    /// Visitors over TLS.
    pub https: Vec<SocketAddr>,
    /// Git over SSH.
    pub git: Vec<SocketAddr>,
    /// `/health-check` and `/metrics`.
    pub health: Vec<SocketAddr>,
}

impl fmt::Display for Addresses {
    /// As operators are told.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { http, https, git, health } = self;
        write!(formatter, "HTTP is at {}, ", joined(http))?;
        match &https[..] {
            [] => formatter.write_str("HTTPS nowhere, ")?,
            https => write!(formatter, "HTTPS at {}, ", joined(https))?,
        }
        write!(formatter, "git at {}, health and metrics at {}", joined(git), joined(health))
    }
}

fn joined(addresses: &[SocketAddr]) -> String {
    let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    all.join(" and ")
}

/// The data plane of visitors' requests.
pub struct Router {
    shared: Arc<Shared>,
    doors: Doors,
    addresses: Addresses,
    keeper: Keeper,
    routes: Routes,
    status: StatusBoard,
    /// None if there is no logger.
    shipping: Option<Shipping>,
}

impl Router {
    /// Opens all sockets and loads the last table from the state directory. Connections wait until [`Router::run`].
    ///
    /// A new router may start before the old one ends: it takes over the sockets of the one that lives in its state
    /// directory. Any others of the same user may listen on the same addresses as well.
    pub fn bind(mut config: Config, status: StatusBoard) -> Result<Self, RouterError> {
        let keeper = Keeper::open(&config.state_dir, status.clone())?;
        let routes = keeper.load();
        // Sockets are opened for as many cores, and so it cannot be changed later.
        config.cores = workers(&routes).unwrap_or(config.cores);
        let doors = Doors::open(&config)?;
        let addresses = doors.addresses();
        status.listens_on(joined(&addresses.http));
        status.note("addresses", &addresses);
        let (access, shipping) = AccessLog::open(&config);
        let shared = Arc::new(Shared::new(config, &routes).logging(access));
        Ok(Self { shared, doors, addresses, keeper, routes, status, shipping })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves until `shutdown`; then accepts nothing new, lets what is under way finish for `timeouts.shutdown`,
    /// and returns.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RouterError> {
        let Self { shared, doors, keeper, routes, status, addresses, shipping } = self;
        tracing::info!(generation = routes.generation, %addresses, "routing");
        let routes = watch::Sender::new(routes);
        let stopped = Shutdown::new();
        let keeping = tokio::spawn(keeper.run(routes.subscribe(), stopped.clone()));
        let logging = shipping.map(|shipping| tokio::spawn(shipping.run(stopped.clone())));
        let heard = Shutdown::new();
        let watching = tokio::spawn(watch_certificate(Arc::clone(&shared), status.clone()));
        let follower = Follower::new(Arc::clone(&shared), status.clone(), routes, heard.clone());
        let following = tokio::spawn(follower.run(stopped.clone()));
        let reaping = tokio::spawn(reap(Arc::clone(&shared)));
        let pulses = Arc::clone(&shared);
        let looking_after = tokio::spawn(async move { Pulses::look_after(&pulses).await });
        // The kept table may be older than what runs: a controller that is there is heard before visitors are.
        let _ = tokio::time::timeout(FIRST_ROUTES, heard.cancelled()).await;
        let mut service = doors.serve(&shared, status)?;
        service.run(&shared, &shutdown).await;
        shared.tasks.close();
        let _ = tokio::time::timeout(shared.config.timeouts.shutdown, shared.tasks.wait()).await;
        shared.ending.cancel();
        shared.tasks.wait().await;
        service.end().await;
        // Until here generations still drained, and the controller had to hear of it.
        stopped.cancel();
        reaping.abort();
        watching.abort();
        looking_after.abort();
        let _ = tokio::join!(following, keeping);
        if let Some(logging) = logging {
            // A panic there has been reported there.
            let _ = logging.await;
        }
        Ok(())
    }
}

/// On how many cores visitors are served, if the last table's settings say so.
fn workers(routes: &Routes) -> Option<usize> {
    // What is wrong with others is told where all are taken over.
    let (mesh, _) = MeshSettings::default().with(&routes.platform.settings);
    mesh.workers.map(usize::from)
}

async fn watch_certificate(shared: Arc<Shared>, status: StatusBoard) {
    tls::watch(&shared, &status).await;
}

async fn reap(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(REAP).await;
        shared.reap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tables_settings_say_how_many_cores_serve() {
        let check = |value: Option<&str>, expected: Option<usize>| {
            let mut routes = Routes::default();
            let set = value.map(|value| ("workerProcesses".to_owned(), value.to_owned()));
            routes.platform.settings.extend(set);
            assert_eq!(workers(&routes), expected, "{value:?}");
        };
        check(None, None);
        check(Some("auto"), None);
        check(Some("3"), Some(3));
        check(Some("many"), None);
    }
}
