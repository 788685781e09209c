//! Where visitors come in: one listening socket for each core, and a way from a crowded core to another.
//!
//! The kernel spreads new connections over sockets that share an address by a hash, which is uneven when there are few.

use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use deis_runtime::Shutdown;

use crate::error::RouterError;
use crate::listener::{NO_ROOM_PAUSE, Sockets, canonical, is_of_one_connection};
use crate::places::{Place, Places};

/// A visitor's connection that its core begins to serve.
pub(crate) struct Arrival {
    /// The connection.
    pub(crate) stream: TcpStream,
    /// Its other end.
    pub(crate) peer: SocketAddr,
    /// Its place.
    pub(crate) place: Place,
}

/// One core's.
pub(crate) struct Entrance {
    listener: std::net::TcpListener,
    places: Places,
    /// To the other cores, and to this one, by number.
    ways: Vec<mpsc::UnboundedSender<Moving>>,
    handed_over: mpsc::UnboundedReceiver<Moving>,
}

/// A connection between two cores: no event loop watches it.
struct Moving {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: Place,
}

/// Sockets that share one address, one for each core at least.
pub(crate) fn open(
    sockets: &mut Sockets,
    address: SocketAddr,
    cores: usize,
) -> Result<Vec<std::net::TcpListener>, RouterError> {
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
    /// One for each of `listeners`, with ways between them.
    pub(crate) fn connect(listeners: Vec<std::net::TcpListener>, places: &Places) -> Vec<Self> {
        let (ways, inboxes): (Vec<_>, Vec<_>) = listeners.iter().map(|_| mpsc::unbounded_channel()).unzip();
        let entrance = |(listener, handed_over)| Self {
            listener,
            places: places.clone(),
            ways: ways.clone(),
            handed_over,
        };
        listeners.into_iter().zip(inboxes).map(entrance).collect()
    }

    /// Hands each connection to `serve`, on the core that shall serve it, until `shutdown` and no core hands over more.
    pub(crate) async fn run(self, shutdown: &Shutdown, serve: impl Fn(Arrival)) -> std::io::Result<()> {
        let Self { listener, places, ways, handed_over } = self;
        let accepting = accept_all(TcpListener::from_std(listener)?, places, ways, shutdown, &serve);
        let (accepted, ()) = tokio::join!(accepting, take_over(handed_over, &serve));
        accepted
    }
}

/// At the end takes those that wait in the backlog already: closing the socket would reset them.
async fn accept_all(
    listener: TcpListener,
    places: Places,
    ways: Vec<mpsc::UnboundedSender<Moving>>,
    shutdown: &Shutdown,
    serve: &impl Fn(Arrival),
) -> std::io::Result<()> {
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = shutdown.cancelled() => break,
        };
        let place = tokio::select! {
            // First, as this connection is not to be lost while there is a place for it.
            biased;
            place = places.take() => place,
            () = shutdown.cancelled() => break,
        };
        seat(Arrival { stream, peer, place }, &ways, serve);
    }
    let listener = listener.into_std()?;
    while let Ok((stream, peer)) = listener.accept() {
        let Some(place) = places.try_take() else { break };
        stream.set_nonblocking(true)?;
        serve(Arrival { stream: TcpStream::from_std(stream)?, peer: canonical(peer), place });
    }
    Ok(())
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, canonical(peer)),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection; raise the limit of open files");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

fn seat(mut arrival: Arrival, ways: &[mpsc::UnboundedSender<Moving>], serve: &impl Fn(Arrival)) {
    let Some(way) = arrival.place.even_out().and_then(|core| ways.get(core)) else { return serve(arrival) };
    let Arrival { stream, peer, place } = arrival;
    match stream.into_std() {
        // A core takes what is handed over for as long as another one can.
        Ok(stream) => drop(way.send(Moving { stream, peer, place })),
        Err(error) => tracing::warn!(%error, "failed to hand a connection over to another core"),
    }
}

/// Ends when no core accepts any more.
async fn take_over(mut handed_over: mpsc::UnboundedReceiver<Moving>, serve: &impl Fn(Arrival)) {
    while let Some(Moving { stream, peer, place }) = handed_over.recv().await {
        match TcpStream::from_std(stream) {
            Ok(stream) => serve(Arrival { stream, peer, place }),
            Err(error) => tracing::warn!(%error, "failed to take over a connection from another core"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let entrances = Entrance::connect(sockets, &places).into_iter();
        let runs = entrances.map(|entrance| entrance.run(&shutdown, |arrival| sender.send(arrival).unwrap()));
        futures::future::try_join_all(runs).await.unwrap();
        let mut count = 0;
        while let Ok(arrival) = receiver.try_recv() {
            assert!(arrival.stream.nodelay().unwrap());
            count += 1;
        }
        assert_eq!(count, clients.len());
    }
}
