//! Listening sockets, and accepting from them within a limit.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use deis_runtime::Shutdown;

use crate::config::Config;
use crate::error::RouterError;
use crate::handover::{self, Inherited, Predecessor};

/// Connections that the kernel keeps waiting at most.
const BACKLOG: i32 = 4096;

/// How long to wait when the system has no room for another connection.
pub(crate) const NO_ROOM_PAUSE: Duration = Duration::from_millis(50);

/// How a router comes by its listening sockets.
pub(crate) struct Sockets {
    inherited: Inherited,
    /// Whether others may listen on the same addresses.
    shared: bool,
    /// Ports at which IPv4 has a socket of its own, so that the one of IPv6 is for IPv6 alone.
    split: BTreeSet<u16>,
}

impl Sockets {
    /// As `config` says: those of the router that it takes over from, if there is one, and else new ones.
    ///
    /// Several routers of one user may listen on one address at once, so that a new one can take over also from one that
    /// hands nothing over. Unless it may take over, an address that is held already is refused.
    pub(crate) fn of(config: &Config) -> Self {
        let path = handover::path(&config.state_dir);
        let inherited = if config.takes_over { Inherited::from(&path) } else { Inherited::default() };
        let all = [&config.http, &config.https, &config.git, &config.health].into_iter().flatten();
        let is_split = |address: &&SocketAddr| address.is_ipv4() && address.ip().is_unspecified();
        let split = all.filter(is_split).map(SocketAddr::port).collect();
        Self { inherited, shared: config.takes_over, split }
    }

    /// One that listens on `address`.
    pub(crate) fn one(
        &mut self,
        address: SocketAddr,
        purpose: &'static str,
    ) -> Result<std::net::TcpListener, RouterError> {
        match self.inherited.claim(address).pop() {
            Some(socket) => Ok(socket),
            None => self.listen(address, purpose, self.shared),
        }
    }

    /// One that listens on each of `addresses`.
    pub(crate) fn each(
        &mut self,
        addresses: &[SocketAddr],
        purpose: &'static str,
    ) -> Result<Vec<std::net::TcpListener>, RouterError> {
        addresses.iter().map(|address| self.one(*address, purpose)).collect()
    }

    /// Lets the port at `address`, which IPv4 has a socket of its own for, be IPv6's alone at another.
    pub(crate) fn split(&mut self, port: u16) {
        self.split.insert(port);
    }

    /// The router that is taken over from, if there is one: it must hear when this one serves.
    pub(crate) fn predecessor(&mut self) -> Option<Predecessor> {
        self.inherited.predecessor.take()
    }

    /// Leaves what nobody has asked for to the router before this one.
    pub(crate) fn disclaim(&mut self) {
        self.inherited = Inherited::default();
    }

    /// `count` that listen on `address` together; more if there were more. Each must be accepted from.
    pub(crate) fn several(
        &mut self,
        address: SocketAddr,
        purpose: &'static str,
        count: usize,
    ) -> Result<Vec<std::net::TcpListener>, RouterError> {
        let mut sockets = self.inherited.claim(address);
        if sockets.is_empty() {
            sockets.push(self.listen(address, purpose, self.shared)?);
        }
        // The port in fact, if the one asked for is 0.
        let address = sockets.first().and_then(|first| first.local_addr().ok()).unwrap_or(address);
        while sockets.len() < count {
            sockets.push(self.listen(address, purpose, true)?);
        }
        Ok(sockets)
    }

    fn listen(
        &self,
        address: SocketAddr,
        purpose: &'static str,
        shared: bool,
    ) -> Result<std::net::TcpListener, RouterError> {
        // Visitors come by IPv4 as well to the address that stands for all.
        let takes_both = address.ip().is_unspecified() && !self.split.contains(&address.port());
        let listen = || {
            if !shared {
                // A socket that shares with nobody can only be bound while nobody listens.
                socket(address, takes_both)?.bind(&address.into())?;
            }
            let socket = socket(address, takes_both)?;
            socket.set_reuse_port(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        listen().map_err(|source| RouterError::Bind { address, purpose, source })
    }
}

fn socket(address: SocketAddr, takes_both: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!takes_both)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A client's address as everybody knows it: by IPv4 if that is how it came, also to a socket of both kinds.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Accepts within a limit until shutdown.
pub(crate) struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Acceptor {
    /// Each accepts from one of `listeners`, together up to `limit` connections at a time.
    pub(crate) fn all(listeners: Vec<std::net::TcpListener>, limit: usize) -> io::Result<Vec<Self>> {
        let places = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        listeners.into_iter().map(|listener| Self::sharing(listener, Arc::clone(&places))).collect()
    }

    /// Accepts from `listener` as long as there are `places`, which others use as well.
    pub(crate) fn sharing(listener: std::net::TcpListener, places: Arc<Semaphore>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::from_std(listener)?, places })
    }

    /// Hands each connection to `serve` until `shutdown`, and tells `crowded` when the limit is reached and left.
    ///
    /// At the end takes those that wait in the backlog already: closing the socket would reset them.
    pub(crate) async fn run(
        self,
        shutdown: &Shutdown,
        crowded: impl Fn(bool),
        serve: impl Fn(TcpStream, SocketAddr, OwnedSemaphorePermit),
    ) {
        loop {
            tokio::select! {
                (stream, peer, place) = self.next(&crowded) => serve(stream, peer, place),
                () = shutdown.cancelled() => break,
            }
        }
        for _ in 0..BACKLOG {
            tokio::select! {
                biased;
                (stream, peer, place) = self.next(&crowded) => serve(stream, peer, place),
                () = std::future::ready(()) => break,
            }
        }
    }

    async fn next(&self, crowded: &impl Fn(bool)) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = self.place(crowded).await;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    // Only costs time if it fails.
                    let _ = stream.set_nodelay(true);
                    return (stream, canonical(peer), place);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection; raise the limit of open files");
                    tokio::time::sleep(NO_ROOM_PAUSE).await;
                }
            }
        }
    }

    async fn place(&self, crowded: &impl Fn(bool)) -> OwnedSemaphorePermit {
        let never_closed = "the semaphore is never closed";
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        tracing::warn!("as many clients are connected as may be; further ones wait");
        crowded(true);
        let place = Arc::clone(&self.places).acquire_owned().await.expect(never_closed);
        crowded(false);
        place
    }
}

/// Whether only the connection that was to be accepted is gone.
pub(crate) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
