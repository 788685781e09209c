//! Where visitors come in: one listening socket for each core, and a way from a crowded core to another.
//!
//! The kernel spreads new connections over sockets that share an address by a hash, which is uneven when there are few.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::sync::mpsc;

use deis_runtime::Shutdown;

use crate::backlog::Backlog;
use crate::error::RouterError;
use crate::listener::{NO_ROOM_PAUSE, Sockets, canonical, is_of_one_connection};
use crate::places::{Place, Places};
use crate::socket::Socket;

/// A visitor's connection that its core begins to serve.
pub(crate) struct Arrival {
    /// The connection.
    pub(crate) socket: Socket,
    /// Its other end.
    pub(crate) peer: SocketAddr,
    /// Its place.
    pub(crate) place: Place,
}

/// One core's.
pub(crate) struct Entrance {
    listener: TcpListener,
    places: Places,
    /// How long a connection that has been accepted waits for a place at the end.
    patience: Duration,
    /// To the other cores, and to this one, by number.
    ways: Vec<mpsc::UnboundedSender<Arrival>>,
    handed_over: mpsc::UnboundedReceiver<Arrival>,
}

/// Sockets that share one address, one for each core at least.
pub(crate) fn open(
    sockets: &mut Sockets,
    address: SocketAddr,
    cores: usize,
) -> Result<Vec<TcpListener>, RouterError> {
    let purpose = "visitors' requests";
    let sockets = sockets.several(address, purpose, cores)?;
    for socket in &sockets {
        // Connections inherit it, so that it costs nothing for each of them.
        let set = SockRef::from(socket).set_tcp_nodelay(true);
        set.map_err(|source| RouterError::Bind { address, purpose, source })?;
    }
    Ok(sockets)
}

impl Entrance {
    /// One for each of `listeners`, with ways between them. At the end, whoever came in too late for a place gets one that
    /// becomes free within `patience`.
    pub(crate) fn connect(listeners: Vec<TcpListener>, places: &Places, patience: Duration) -> Vec<Self> {
        let (ways, inboxes): (Vec<_>, Vec<_>) = listeners.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let entrance = |(listener, handed_over)| Self {
            listener,
            places: places.clone(),
            patience,
            ways: ways.clone(),
            handed_over,
        };
        listeners.into_iter().zip(inboxes).map(entrance).collect()
    }

    /// Hands each connection to `serve`, on the core that shall serve it, until `shutdown` and no core hands over more.
    pub(crate) async fn run(self, shutdown: &Shutdown, serve: impl Fn(Arrival)) -> io::Result<()> {
        let Self { listener, places, patience, ways, handed_over } = self;
        let accepting = async {
            let backlog = Backlog::watch(listener)?;
            let unseated = accept_all(&backlog, &places, ways, shutdown, &serve).await;
            if let Some((socket, peer)) = unseated
                // Whoever leaves now makes room.
                && let Ok(place) = tokio::time::timeout(patience, places.take()).await
            {
                serve(Arrival { socket, peer, place });
            }
            take_waiting(&backlog, &places, &serve);
            Ok(())
        };
        let (accepted, ()) = tokio::join!(accepting, take_over(handed_over, &serve));
        accepted
    }
}

/// Until `shutdown`. The connection for which there was no place then, if there is one.
async fn accept_all(
    backlog: &Backlog,
    places: &Places,
    ways: Vec<mpsc::UnboundedSender<Arrival>>,
    shutdown: &Shutdown,
    serve: &impl Fn(Arrival),
) -> Option<(Socket, SocketAddr)> {
    let mut closing = pin!(shutdown.cancelled());
    loop {
        let (socket, peer) = tokio::select! {
            // Asked last, as all cores share the answer. A flood of connections cannot keep it from being asked: the
            // runtime makes every task pause.
            biased;
            accepted = accept(backlog) => accepted,
            () = &mut closing => return None,
        };
        let place = tokio::select! {
            // First, as this connection is not to be lost while there is a place for it.
            biased;
            place = places.take() => place,
            () = &mut closing => return Some((socket, peer)),
        };
        seat(Arrival { socket, peer, place }, &ways, serve);
    }
}

/// Takes those that wait in the backlog already: closing the socket would reset them.
fn take_waiting(backlog: &Backlog, places: &Places, serve: &impl Fn(Arrival)) {
    // A place comes first: who is left in the backlog may be taken by the router that comes next.
    while let Some(place) = places.try_take()
        && let Ok((socket, peer)) = backlog.take_now()
    {
        serve(Arrival { socket, peer: canonical(peer), place });
    }
}

async fn accept(backlog: &Backlog) -> (Socket, SocketAddr) {
    loop {
        match backlog.take().await {
            Ok((socket, peer)) => return (socket, canonical(peer)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection; raise the limit of open files");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

fn seat(mut arrival: Arrival, ways: &[mpsc::UnboundedSender<Arrival>], serve: &impl Fn(Arrival)) {
    match arrival.place.even_out().and_then(|core| ways.get(core)) {
        // A core takes what is handed over for as long as another one can.
        Some(way) => drop(way.send(arrival)),
        None => serve(arrival),
    }
}

/// Ends when no core accepts any more.
async fn take_over(mut handed_over: mpsc::UnboundedReceiver<Arrival>, serve: &impl Fn(Arrival)) {
    while let Some(arrival) = handed_over.recv().await {
        serve(arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Longer than anything takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn whoever_was_let_in_without_a_place_gets_one_at_the_end() {
        let config = crate::Config { takes_over: false, ..crate::Config::new("key", "/nowhere") };
        let sockets = open(&mut Sockets::of(&config), ([127, 0, 0, 1], 0).into(), 1).unwrap();
        let (twin, at_once) = (sockets[0].try_clone().unwrap(), Timespec { tv_sec: 0, tv_nsec: 0 });
        let waits =
            |twin: &TcpListener| poll(&mut [PollFd::new(twin, PollFlags::IN)], Some(&at_once)).unwrap() > 0;
        let _client = std::net::TcpStream::connect(sockets[0].local_addr().unwrap()).unwrap();
        while !waits(&twin) {}
        let places = Places::new(1, 1);
        let (taken, shutdown) = (places.take().await, Shutdown::new());
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let entrance = Entrance::connect(sockets, &places, PATIENCE).pop().unwrap();
        let run = entrance.run(&shutdown, |arrival| sender.send(arrival).unwrap());
        let leave = async {
            while waits(&twin) {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
            tokio::task::yield_now().await;
            drop(taken);
        };
        let (ended, ()) = tokio::join!(run, leave);
        ended.unwrap();
        assert!(receiver.try_recv().is_ok());
    }

    #[tokio::test]
    async fn connections_come_in_by_any_socket_without_delay_and_until_the_end() {
        let config = crate::Config { takes_over: false, ..crate::Config::new("key", "/nowhere") };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = open(&mut Sockets::of(&config), any, 3).unwrap();
        let address = sockets[0].local_addr().unwrap();
        let clients: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let places = Places::new(100, 3);
        let shutdown = Shutdown::new();
        shutdown.cancel();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let entrances = Entrance::connect(sockets, &places, PATIENCE).into_iter();
        let runs = entrances.map(|entrance| entrance.run(&shutdown, |arrival| sender.send(arrival).unwrap()));
        futures::future::try_join_all(runs).await.unwrap();
        let mut count = 0;
        while let Ok(mut arrival) = receiver.try_recv() {
            assert!(arrival.socket.watch().unwrap().nodelay().unwrap());
            count += 1;
        }
        assert_eq!(count, clients.len());
    }
}
