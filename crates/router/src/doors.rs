//! Everything that visitors, git and load balancers come in by: opened, served, handed over, closed.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use tokio::task::JoinHandle;

use deis_runtime::{Shutdown, StatusBoard};

use crate::config::Config;
use crate::cores::Cores;
use crate::entrance::{Arrival, Entrance};
use crate::error::RouterError;
use crate::handover::{self, Estate};
use crate::listener::{Acceptor, Sockets};
use crate::places::Places;
use crate::ports::Ports;
use crate::router::Addresses;
use crate::shared::Shared;
use crate::{connection, entrance, git, health};

/// The sockets that a router listens on.
pub(crate) struct Doors {
    http: Vec<TcpListener>,
    /// None of them without TLS.
    https: Vec<TcpListener>,
    git: TcpListener,
    health: TcpListener,
    /// Where apps' own ports come from.
    sockets: Sockets,
}

/// What serves those who come in.
pub(crate) struct Service {
    /// Visitors.
    cores: Cores,
    /// None once closed.
    git: Option<Acceptor>,
    health: JoinHandle<()>,
    /// Cancelled when load balancers are not answered any more.
    unasked: Shutdown,
    estate: Arc<Estate>,
    ports: JoinHandle<()>,
}

impl Doors {
    /// Opens all of them; connections wait.
    pub(crate) fn open(config: &Config) -> Result<Self, RouterError> {
        let mut sockets = Sockets::of(config);
        let mut visitors = |address| entrance::open(&mut sockets, address, config.cores);
        let http = visitors(config.http)?;
        let https = config.https.map(visitors).transpose()?.unwrap_or_default();
        let git = sockets.one(config.git, "git over SSH")?;
        let health = sockets.one(config.health, "health checks")?;
        Ok(Self { http, https, git, health, sockets })
    }

    /// Where they are in fact, which differs from what `config` asks for if its ports are 0.
    pub(crate) fn addresses(&self, config: &Config) -> Addresses {
        let local = |socket: &TcpListener| socket.local_addr().ok();
        Addresses {
            http: self.http.first().and_then(local).unwrap_or(config.http),
            https: self.https.first().and_then(local),
            git: local(&self.git).unwrap_or(config.git),
            health: local(&self.health).unwrap_or(config.health),
        }
    }

    /// Lets everybody in until `shared.shut`, and offers the sockets to the router that comes next.
    pub(crate) fn serve(mut self, shared: &Arc<Shared>, status: StatusBoard) -> Result<Service, RouterError> {
        let estate = Arc::new(Estate::open(&handover::path(&shared.config.state_dir)));
        let mut own = BTreeSet::new();
        for socket in self.http.iter().chain(&self.https).chain([&self.git, &self.health]) {
            estate.add(socket).map_err(RouterError::Core)?;
            own.extend(socket.local_addr().map(|address| address.port()));
        }
        let unasked = Shutdown::new();
        let predecessor = self.sockets.predecessor();
        let ports = Ports::new(Arc::clone(shared), self.sockets, Arc::clone(&estate), status, own);
        let git = Acceptor::new(self.git, shared.config.limits.git_connections).map_err(RouterError::Core)?;
        let service = Service {
            cores: serve_visitors(shared, Entrances::connect(self.http, self.https, &shared.places))?,
            git: Some(git),
            health: serve_health(shared, self.health, &unasked)?,
            ports: tokio::spawn(ports.keep()),
            unasked,
            estate,
        };
        if let Some(predecessor) = predecessor {
            predecessor.relieve();
        }
        Ok(service)
    }
}

impl Service {
    /// Serves until `shutdown` and then lets nobody in any more; those who are there stay.
    pub(crate) async fn run(&mut self, shared: &Arc<Shared>, shutdown: &Shutdown) {
        let leave = leave(shared, &self.estate, shutdown, &self.unasked);
        let (_, (), ended, ()) =
            tokio::join!(self.cores.worked(), serve_git(shared, self.git.take()), &mut self.ports, leave);
        if let Err(error) = ended {
            tracing::error!(%error, "apps' own ports were not kept to the end");
        }
    }

    /// Gives up all that is still served.
    pub(crate) async fn end(self) {
        self.unasked.cancel();
        // A panic there is no reason for another.
        let _ = self.health.await;
        self.cores.stop().await;
    }
}

/// What one core accepts visitors from.
struct Entrances {
    plain: Option<Entrance>,
    secured: Option<Entrance>,
}

impl Entrances {
    /// One for each of `http` and of `https`, together as far as there are both.
    fn connect(http: Vec<TcpListener>, https: Vec<TcpListener>, places: &Places) -> Vec<Self> {
        let count = http.len().max(https.len());
        let mut plain = Entrance::connect(http, places).into_iter();
        let mut secured = Entrance::connect(https, places).into_iter();
        (0..count).map(|_| Self { plain: plain.next(), secured: secured.next() }).collect()
    }

    async fn run(self, shared: &Arc<Shared>) -> io::Result<()> {
        let plain = serve_at(self.plain, shared, |Arrival { socket, peer, place }| {
            shared.tasks.spawn(connection::serve(Arc::clone(shared), socket, peer, place));
        });
        let secured = serve_at(self.secured, shared, |Arrival { socket, peer, place }| {
            shared.tasks.spawn(connection::serve_secured(Arc::clone(shared), socket, peer, place));
        });
        let (plain, secured) = tokio::join!(plain, secured);
        plain.and(secured)
    }
}

async fn serve_at(entrance: Option<Entrance>, shared: &Shared, serve: impl Fn(Arrival)) -> io::Result<()> {
    let Some(entrance) = entrance else { return Ok(()) };
    let counted = |arrival| {
        shared.counters.connections.add();
        serve(arrival);
    };
    entrance.run(&shared.shut, counted).await
}

/// Serves visitors on threads of their own, and those that are there at the end for as long as they stay.
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

async fn serve_git(shared: &Arc<Shared>, acceptor: Option<Acceptor>) {
    let Some(acceptor) = acceptor else { return };
    let serve = |stream, peer, place| {
        shared.tasks.spawn(git::serve(Arc::clone(shared), stream, peer, place));
    };
    acceptor.run(&shared.shut, |_| {}, serve).await;
}

/// Answers load balancers until `unasked`, which is longer than visitors are let in: they must hear of the end.
fn serve_health(
    shared: &Arc<Shared>,
    listener: TcpListener,
    unasked: &Shutdown,
) -> Result<JoinHandle<()>, RouterError> {
    let acceptor = Acceptor::new(listener, health::CONNECTIONS).map_err(RouterError::Core)?;
    let (shared, unasked) = (Arc::clone(shared), unasked.clone());
    Ok(tokio::spawn(async move {
        let serve = |stream, _peer, place| {
            let serving = health::serve(Arc::clone(&shared), stream, place);
            drop(tokio::spawn(unasked.clone().run_until_cancelled_owned(serving)));
        };
        acceptor.run(&unasked, |_| {}, serve).await;
    }))
}

/// Waits until the router is asked to end, lets everybody know, and closes its doors.
async fn leave(shared: &Shared, estate: &Estate, shutdown: &Shutdown, unasked: &Shutdown) {
    shutdown.cancelled().await;
    // First this: whoever is served from now on is told to come back on another connection.
    shared.begin_closing();
    if !estate.was_taken() {
        tokio::time::sleep(shared.config.timeouts.notice).await;
    }
    // Nothing is offered any more, as visitors would wait in vain at sockets that stay open but are not accepted from.
    if estate.close() {
        // Whoever took them answers load balancers, and is well.
        unasked.cancel();
    }
    shared.shut.cancel();
}
