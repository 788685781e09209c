//! Everything that visitors, git and load balancers come in by: opened, served, handed over, closed.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::task::{JoinHandle, JoinSet};

use deis_runtime::{Shutdown, StatusBoard};

use crate::config::Config;
use crate::cores::Cores;
use crate::entrance::{Arrival, Entrance};
use crate::error::RouterError;
use crate::handover::{self, Estate};
use crate::health::{self, Desk};
use crate::listener::{Acceptor, Sockets};
use crate::ports::Ports;
use crate::router::Addresses;
use crate::shared::Shared;
use crate::{connection, entrance, git};

/// The sockets that a router listens on.
pub(crate) struct Doors {
    /// For each address one for each core.
    http: Vec<Vec<TcpListener>>,
    /// None of them without TLS.
    https: Vec<Vec<TcpListener>>,
    git: Vec<TcpListener>,
    health: Vec<TcpListener>,
    /// Where apps' own ports come from.
    sockets: Sockets,
}

/// What serves those who come in.
pub(crate) struct Service {
    /// Visitors.
    cores: Cores,
    /// None once closed.
    git: Vec<Acceptor>,
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
        let mut visitors = |addresses: &[SocketAddr]| -> Result<Vec<_>, RouterError> {
            addresses.iter().map(|address| entrance::open(&mut sockets, *address, config.cores)).collect()
        };
        let (http, https) = (visitors(&config.http)?, visitors(&config.https)?);
        let git = sockets.each(&config.git, "git over SSH")?;
        let health = sockets.each(&config.health, "health checks")?;
        Ok(Self { http, https, git, health, sockets })
    }

    /// Where they are in fact, which differs from what was asked for if the port is 0.
    pub(crate) fn addresses(&self) -> Addresses {
        let local = |socket: &TcpListener| socket.local_addr().ok();
        let first = |sockets: &Vec<TcpListener>| sockets.first().and_then(local);
        Addresses {
            http: self.http.iter().filter_map(first).collect(),
            https: self.https.iter().filter_map(first).collect(),
            git: self.git.iter().filter_map(local).collect(),
            health: self.health.iter().filter_map(local).collect(),
        }
    }

    /// Lets everybody in until `shared.shut`, and offers the sockets to the router that comes next.
    pub(crate) fn serve(mut self, shared: &Arc<Shared>, status: StatusBoard) -> Result<Service, RouterError> {
        let estate = Arc::new(Estate::open(&handover::path(&shared.config.state_dir)));
        let mut own = BTreeSet::new();
        let visitors = self.http.iter().chain(&self.https).flatten();
        for socket in visitors.chain(&self.git).chain(&self.health) {
            estate.add(socket).map_err(RouterError::Core)?;
            own.extend(socket.local_addr().map(|address| address.port()));
        }
        let unasked = Shutdown::new();
        let predecessor = self.sockets.predecessor();
        let ports = Ports::new(Arc::clone(shared), self.sockets, Arc::clone(&estate), status, own);
        let git = Acceptor::all(self.git, shared.config.limits.git_connections).map_err(RouterError::Core)?;
        let service = Service {
            cores: serve_visitors(shared, Entrances::connect(self.http, self.https, shared))?,
            git,
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
        let (_, (), ended, ()) = tokio::join!(
            self.cores.worked(),
            serve_git(shared, std::mem::take(&mut self.git)),
            &mut self.ports,
            leave
        );
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
#[derive(Default)]
struct Entrances {
    plain: Vec<Entrance>,
    secured: Vec<Entrance>,
}

impl Entrances {
    /// One for each core, with one socket of each of the addresses that `http` and `https` listen on.
    fn connect(http: Vec<Vec<TcpListener>>, https: Vec<Vec<TcpListener>>, shared: &Shared) -> Vec<Self> {
        let (places, patience) = (&shared.places, shared.config.timeouts.shutdown_idle);
        let count = http.iter().chain(&https).map(Vec::len).max().unwrap_or(0);
        let mut cores: Vec<Self> = (0..count).map(|_| Self::default()).collect();
        for sockets in http {
            Entrance::connect(sockets, places, patience)
                .into_iter()
                .zip(&mut cores)
                .for_each(|(one, core)| core.plain.push(one));
        }
        for sockets in https {
            Entrance::connect(sockets, places, patience)
                .into_iter()
                .zip(&mut cores)
                .for_each(|(one, core)| core.secured.push(one));
        }
        cores
    }

    /// Accepts from all of them.
    async fn run(self, shared: &Arc<Shared>) {
        let mut accepting = JoinSet::new();
        for entrance in self.plain {
            let shared = Arc::clone(shared);
            accepting.spawn(async move {
                let serve = |Arrival { socket, peer, place }| {
                    shared.tasks.spawn(connection::serve(Arc::clone(&shared), socket, peer, place));
                };
                serve_at(entrance, &shared, serve).await;
            });
        }
        for entrance in self.secured {
            let shared = Arc::clone(shared);
            accepting.spawn(async move {
                let serve = |Arrival { socket, peer, place }| {
                    shared.tasks.spawn(connection::serve_secured(Arc::clone(&shared), socket, peer, place));
                };
                serve_at(entrance, &shared, serve).await;
            });
        }
        accepting.join_all().await;
    }
}

async fn serve_at(entrance: Entrance, shared: &Shared, serve: impl Fn(Arrival)) {
    let counted = |arrival| {
        shared.counters.connections.add();
        serve(arrival);
    };
    if let Err(error) = entrance.run(&shared.shut, counted).await {
        tracing::error!(%error, "a core accepts no connections any more");
    }
}

/// Serves visitors on threads of their own, and those that are there at the end for as long as they stay.
fn serve_visitors(shared: &Arc<Shared>, entrances: Vec<Entrances>) -> Result<Cores, RouterError> {
    let shared = Arc::clone(shared);
    let work = move |entrances: Entrances| {
        let shared = Arc::clone(&shared);
        async move { entrances.run(&shared).await }
    };
    Cores::start(entrances, work).map_err(RouterError::Core)
}

async fn serve_git(shared: &Arc<Shared>, acceptors: Vec<Acceptor>) {
    let mut accepting = JoinSet::new();
    for acceptor in acceptors {
        let shared = Arc::clone(shared);
        accepting.spawn(async move {
            let serve = |stream, peer, place| {
                shared.tasks.spawn(git::serve(Arc::clone(&shared), stream, peer, place));
            };
            acceptor.run(&shared.shut, |_| {}, serve).await;
        });
    }
    accepting.join_all().await;
}

/// Answers load balancers until `unasked`, which is longer than visitors are let in: they must hear of the end.
fn serve_health(
    shared: &Arc<Shared>,
    listeners: Vec<TcpListener>,
    unasked: &Shutdown,
) -> Result<JoinHandle<()>, RouterError> {
    let desk = Arc::new(Desk::new(Arc::clone(shared)));
    let mut accepting = JoinSet::new();
    for acceptor in Acceptor::all(listeners, health::CONNECTIONS).map_err(RouterError::Core)? {
        let (desk, unasked) = (Arc::clone(&desk), unasked.clone());
        accepting.spawn(async move {
            let serve = |stream, _peer, place| {
                let serving = Arc::clone(&desk).serve(stream, place);
                drop(tokio::spawn(unasked.clone().run_until_cancelled_owned(serving)));
            };
            acceptor.run(&unasked, |_| {}, serve).await;
        });
    }
    Ok(tokio::spawn(async { drop(accepting.join_all().await) }))
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
