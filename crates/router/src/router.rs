//! The router as a component: binding, running, ending without anybody noticing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use deis_runtime::{Shutdown, StatusBoard};

use crate::config::Config;
use crate::cores::Cores;
use crate::entrance::{Arrival, Entrance};
use crate::error::RouterError;
use crate::follow::Follower;
use crate::listener::{Acceptor, listen};
use crate::persist::Keeper;
use crate::places::Places;
use crate::routes::Routes;
use crate::shared::Shared;
use crate::{connection, entrance, health, tcp, tls};

/// How long visitors wait at the start for a controller that neither answers nor refuses.
const FIRST_ROUTES: Duration = Duration::from_secs(1);

/// How often idle connections to endpoints are looked through.
const REAP: Duration = Duration::from_secs(5);

/// Where a router listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Visitors.
    pub http: SocketAddr,
    /// Visitors over TLS.
    pub https: Option<SocketAddr>,
    /// Git over SSH.
    pub git: SocketAddr,
    /// `/health-check` and `/metrics`.
    pub health: SocketAddr,
}

/// The data plane of visitors' requests.
pub struct Router {
    shared: Arc<Shared>,
    http: Vec<std::net::TcpListener>,
    /// None of them without TLS.
    https: Vec<std::net::TcpListener>,
    git: TcpListener,
    health: TcpListener,
    addresses: Addresses,
    keeper: Keeper,
    routes: Routes,
    status: StatusBoard,
}

impl Router {
    /// Opens all sockets and loads the last table from the state directory. Connections wait until [`Router::run`].
    ///
    /// Must be called within a tokio runtime. Several routers of one user can be bound to the same addresses, so a
    /// new one may start before the old one ends.
    pub fn bind(config: Config, status: StatusBoard) -> Result<Self, RouterError> {
        let listen = |address, purpose| listen(address, purpose, config.takes_over);
        let open = |address| entrance::open(address, config.cores, config.takes_over);
        let http = open(config.http)?;
        let https = config.https.map(open).transpose()?.unwrap_or_default();
        let git = listen(config.git, "git over SSH")?;
        let health = listen(config.health, "health checks")?;
        let first =
            |sockets: &[std::net::TcpListener]| sockets.first().and_then(|first| first.local_addr().ok());
        let addresses = Addresses {
            http: first(&http).unwrap_or(config.http),
            https: first(&https),
            git: local(&git, config.git),
            health: local(&health, config.health),
        };
        let keeper = Keeper::open(&config.state_dir, status.clone())?;
        let routes = keeper.load();
        status.listens_on(addresses.http);
        let shared = Arc::new(Shared::new(config, &routes));
        Ok(Self { shared, http, https, git, health, addresses, keeper, routes, status })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `shutdown`; then accepts nothing new, lets what is under way finish for `timeouts.shutdown`,
    /// and returns.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RouterError> {
        let Self { shared, http, https, git, health, keeper, routes, status, addresses } = self;
        tracing::info!(http = %addresses.http, git = %addresses.git, generation = routes.generation, "routing");
        let routes = watch::Sender::new(routes);
        let stopped = Shutdown::new();
        let keeping = tokio::spawn(keeper.run(routes.subscribe(), stopped.clone()));
        let heard = Shutdown::new();
        let watching = tokio::spawn(watch_certificate(Arc::clone(&shared), status.clone()));
        let follower = Follower::new(Arc::clone(&shared), status, routes, heard.clone());
        let following = tokio::spawn(follower.run(stopped.clone()));
        let reaping = tokio::spawn(reap(Arc::clone(&shared)));
        // The kept table may be older than what runs: a controller that is there is heard before visitors are.
        let _ = tokio::time::timeout(FIRST_ROUTES, heard.cancelled()).await;
        let entrances = Entrances::connect(http, https, &shared.places);
        let mut cores = serve_visitors(&shared, entrances)?;
        tokio::join!(
            // First this, then no more is accepted: whoever is served then is told to come back on another connection.
            close_at(&shared, &shutdown),
            cores.worked(),
            serve_git(&shared, git, &shutdown),
            // Load balancers must hear of the end at once, and then this router is not chosen any more.
            serve_health(&shared, health, &shutdown),
        );
        shared.tasks.close();
        let _ = tokio::time::timeout(shared.config.timeouts.shutdown, shared.tasks.wait()).await;
        shared.ending.cancel();
        shared.tasks.wait().await;
        cores.stop().await;
        // Until here generations still drained, and the controller had to hear of it.
        stopped.cancel();
        reaping.abort();
        watching.abort();
        let _ = tokio::join!(following, keeping);
        Ok(())
    }
}

/// What one core accepts visitors from; none over TLS if that is not spoken.
struct Entrances {
    plain: Entrance,
    secured: Option<Entrance>,
}

impl Entrances {
    /// One for each of `http`, with one of `https` each if there are any.
    fn connect(
        http: Vec<std::net::TcpListener>,
        https: Vec<std::net::TcpListener>,
        places: &Places,
    ) -> Vec<Self> {
        let mut secured = Entrance::connect(https, places).into_iter();
        let plain = Entrance::connect(http, places).into_iter();
        plain.map(|plain| Self { plain, secured: secured.next() }).collect()
    }

    async fn run(self, shared: &Arc<Shared>) -> io::Result<()> {
        let plain = self.plain.run(&shared.closing, |arrival| serve_visitor(shared, arrival));
        let secured = async {
            match self.secured {
                Some(entrance) => {
                    entrance.run(&shared.closing, |arrival| serve_secured(shared, arrival)).await
                }
                None => Ok(()),
            }
        };
        let (plain, secured) = tokio::join!(plain, secured);
        plain.and(secured)
    }
}

/// Serves visitors on threads of their own until the router closes, and those that are there then for as long as they stay.
fn serve_visitors(shared: &Arc<Shared>, entrances: Vec<Entrances>) -> Result<Cores, RouterError> {
    let shared = Arc::clone(shared);
    let work = move |entrances: Entrances| {
        let shared = Arc::clone(&shared);
        async move {
            if let Err(error) = entrances.run(&shared).await {
                tracing::error!(%error, "a core accepts no connections any more");
            }
        }
    };
    Cores::start(entrances, work).map_err(RouterError::Core)
}

fn serve_visitor(shared: &Arc<Shared>, Arrival { stream, peer, place }: Arrival) {
    shared.counters.connections.add();
    shared.tasks.spawn(connection::serve(Arc::clone(shared), stream, peer, place));
}

fn serve_secured(shared: &Arc<Shared>, Arrival { stream, peer, place }: Arrival) {
    shared.counters.connections.add();
    shared.tasks.spawn(connection::serve_secured(Arc::clone(shared), stream, peer, place));
}

async fn close_at(shared: &Shared, shutdown: &Shutdown) {
    shutdown.cancelled().await;
    shared.closing.cancel();
}

async fn watch_certificate(shared: Arc<Shared>, status: StatusBoard) {
    tls::watch(&shared, &status).await;
}

async fn serve_git(shared: &Arc<Shared>, listener: TcpListener, shutdown: &Shutdown) {
    let acceptor = Acceptor::new(listener, shared.config.limits.git_connections);
    let serve = |stream, _peer, place| {
        shared.tasks.spawn(tcp::serve(Arc::clone(shared), stream, place));
    };
    acceptor.run(shutdown, |_| {}, serve).await;
}

async fn serve_health(shared: &Arc<Shared>, listener: TcpListener, shutdown: &Shutdown) {
    let acceptor = Acceptor::new(listener, health::CONNECTIONS);
    let serve = |stream, _peer, place| {
        shared.tasks.spawn(health::serve(Arc::clone(shared), stream, place));
    };
    acceptor.run(shutdown, |_| {}, serve).await;
}

async fn reap(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(REAP).await;
        shared.reap();
    }
}

/// The address in fact, which differs from the one asked for if its port was 0.
fn local(listener: &TcpListener, asked: SocketAddr) -> SocketAddr {
    listener.local_addr().unwrap_or(asked)
}
