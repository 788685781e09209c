//! The listening sockets that a router has from the one before it.

use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};

use super::{PATIENCE, PER_MESSAGE, check_is_ours};

/// The listening sockets that a router has from the one before it. Those that nobody asks for are left to that one.
#[derive(Default)]
pub(crate) struct Inherited {
    pub(super) sockets: Vec<(SocketAddr, TcpListener)>,
    /// Who gave them; none if nobody did.
    pub(crate) predecessor: Option<Predecessor>,
}

/// A router that has given its listening sockets away. It counts on its heir only once that serves.
pub(crate) struct Predecessor(UnixStream);

impl Predecessor {
    /// Lets it know that its heir serves.
    pub(crate) fn relieve(mut self) {
        if let Err(error) = self.0.write_all(&[0]) {
            tracing::debug!(%error, "the router before this one does not hear that it is replaced");
        }
    }
}

impl Inherited {
    /// All that the router gives that is asked at `path`; none if there is none.
    pub(crate) fn from(path: &Path) -> Self {
        take(path).unwrap_or_else(|error| {
            use io::ErrorKind::{ConnectionRefused, NotFound};
            if !matches!(error.kind(), NotFound | ConnectionRefused) {
                tracing::warn!(path = %path.display(), %error, "failed to take over listening sockets; a few connections may be lost when the router before this one ends");
            }
            Self::default()
        })
    }

    /// Those on `address`, which are not held here any more.
    pub(crate) fn claim(&mut self, address: SocketAddr) -> Vec<TcpListener> {
        let of_address = self.sockets.extract_if(.., |(held, _)| *held == address);
        of_address.map(|(_, socket)| socket).collect()
    }
}

fn take(path: &Path) -> io::Result<Inherited> {
    let giver = UnixStream::connect(path)?;
    check_is_ours(&giver)?;
    giver.set_read_timeout(Some(PATIENCE))?;
    let mut sockets = Vec::new();
    while let Some(some) = receive(&giver)? {
        sockets.extend(some.into_iter().filter_map(listening));
    }
    Ok(Inherited { sockets, predecessor: Some(Predecessor(giver)) })
}

/// What comes with the next byte; none at the end.
fn receive(giver: &UnixStream) -> io::Result<Option<Vec<OwnedFd>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(giver, &mut [IoSliceMut::new(&mut byte)], &mut rights, RecvFlags::CMSG_CLOEXEC)?;
    let mut sockets = Vec::new();
    for message in rights.drain() {
        if let RecvAncillaryMessage::ScmRights(some) = message {
            sockets.extend(some);
        }
    }
    Ok((received.bytes > 0).then_some(sockets))
}

/// Where it listens, if it is what it should be.
fn listening(socket: OwnedFd) -> Option<(SocketAddr, TcpListener)> {
    let listens = sockopt::socket_acceptconn(&socket).unwrap_or(false);
    let socket = TcpListener::from(socket);
    let address = socket.local_addr().ok()?;
    listens.then_some((address, socket))
}
