//! Connections that the system has taken and nobody has accepted: taken one by one, as cheaply as can be.
//!
//! To accept in vain costs the system as much as half of a connection: it makes all that belongs to one before it looks
//! whether there is any. The runtime's own listener does so after every connection, and has each watched at once.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SocketFlags, acceptfrom_with};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::socket::Socket;

/// Connections that wait at one listening socket.
pub(crate) struct Backlog {
    /// The listening socket itself, as a kind of socket whose readiness the runtime lets others ask for.
    listener: TcpStream,
}

impl Backlog {
    /// Those at `listener`, which does not block, watched by this thread's event loop.
    pub(crate) fn watch(listener: TcpListener) -> io::Result<Self> {
        let listener = TcpStream::from_std(OwnedFd::from(listener).into())?;
        Ok(Self { listener })
    }

    /// The next one, and its other end; waits until there is one. Now and then it is the turn of other tasks first,
    /// however many wait.
    pub(crate) async fn take(&self) -> io::Result<(Socket, SocketAddr)> {
        loop {
            // Before one is accepted, as it would be lost with whoever stops waiting here.
            tokio::task::consume_budget().await;
            self.listener.readable().await?;
            match self.listener.try_io(Interest::READABLE, || self.take_now()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                taken => {
                    self.note_end();
                    return taken;
                }
            }
        }
    }

    /// The same if there is one at this moment.
    pub(crate) fn take_now(&self) -> io::Result<(Socket, SocketAddr)> {
        let (socket, peer) = acceptfrom_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        Ok((Socket::new(socket.into()), peer.ok_or(io::ErrorKind::ConnectionAborted)?))
    }

    /// Waits for the system's word before the next one, if none is there now.
    fn note_end(&self) {
        if !self.has_another() {
            // This is how the runtime is told.
            let _ = self
                .listener
                .try_io(Interest::READABLE, || io::Result::<()>::Err(io::ErrorKind::WouldBlock.into()));
        }
    }

    fn has_another(&self) -> bool {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&at_once)).is_ok_and(|ready| ready > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn all_that_come_are_taken_whether_they_waited_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let backlog = Backlog::watch(listener).unwrap();
        for count in [1, 5, 2, 50, 1] {
            let clients: Vec<_> =
                (0..count).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            let mut expected: BTreeSet<_> =
                clients.iter().map(|client| client.local_addr().unwrap()).collect();
            while !expected.is_empty() {
                let (_, peer) = backlog.take().await.unwrap();
                assert!(expected.remove(&peer));
            }
            assert_eq!(backlog.take_now().map(|_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
