//! Who is at the other end of a connection: whoever opened it, or whom a load balancer in front names.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use deis_model::routing::{MeshSettings, ProxyProtocol};
use deis_runtime::proxy_protocol::{self, Origin, Version};

use crate::forwarded::Peer;
use crate::shared::Shared;
use crate::socket::Socket;

/// The ends of a client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    /// The client.
    pub(crate) client: SocketAddr,
    /// Whom it meant to reach.
    pub(crate) server: SocketAddr,
    /// Whether a load balancer named them.
    pub(crate) is_announced: bool,
}

impl Ends {
    /// What tells of them before the connection's own bytes; nothing without a version.
    pub(crate) fn header(self, version: Option<ProxyProtocol>) -> Vec<u8> {
        let version = match version {
            Some(ProxyProtocol::V1) => Version::One,
            Some(ProxyProtocol::V2) => Version::Two,
            None => return Vec::new(),
        };
        proxy_protocol::encode(version, self.client, self.server)
    }

    /// The client, as apps learn of it.
    pub(crate) fn peer(self) -> Peer {
        let peer = Peer::new(self.client.ip());
        if self.is_announced { peer.announced() } else { peer }
    }
}

/// The visitor behind `peer`. None if the connection has no right to stay, as it should be announced and is not.
pub(crate) async fn client(shared: &Shared, socket: &mut Socket, peer: SocketAddr) -> Option<Peer> {
    if !shared.table.load().mesh.proxy_protocol {
        return Some(Peer::new(peer.ip()));
    }
    ends(shared, socket.watch().ok()?, peer).await.map(Ends::peer)
}

/// The ends of a visitor's connection.
pub(crate) async fn ends(shared: &Shared, stream: &mut TcpStream, peer: SocketAddr) -> Option<Ends> {
    let mesh = Arc::clone(&shared.table.load().mesh);
    read(shared, &mesh, mesh.proxy_protocol, stream, peer).await
}

/// The ends of a git client's connection.
pub(crate) async fn ends_of_git(shared: &Shared, stream: &mut TcpStream, peer: SocketAddr) -> Option<Ends> {
    let mesh = Arc::clone(&shared.table.load().mesh);
    read(shared, &mesh, mesh.git_proxy_protocol, stream, peer).await
}

async fn read(
    shared: &Shared,
    mesh: &MeshSettings,
    is_announced: bool,
    stream: &mut TcpStream,
    peer: SocketAddr,
) -> Option<Ends> {
    let origin = if is_announced { announcement(shared, mesh, stream, peer).await? } else { Origin::Own };
    match origin {
        Origin::Passed { source, destination } => {
            Some(Ends { client: source, server: destination, is_announced: true })
        }
        Origin::Own => Some(Ends { client: peer, server: stream.local_addr().ok()?, is_announced: false }),
    }
}

async fn announcement(
    shared: &Shared,
    mesh: &MeshSettings,
    stream: &mut TcpStream,
    peer: SocketAddr,
) -> Option<Origin> {
    if !mesh.trusted.iter().any(|range| range.contains(peer.ip())) {
        if shared.unannounced.may_warn(shared.clock.now()) {
            tracing::warn!(%peer, "turned away: connections are to be announced by load balancers (`proxyProtocol`), and this is none; if it is one, say so (`proxyRealIpCidr`)");
        }
        return None;
    }
    let read = tokio::select! {
        read = tokio::time::timeout(mesh.clients.head, proxy_protocol::read(stream)) => read.ok()?,
        () = shared.ending.cancelled() => return None,
    };
    read.inspect_err(|error| {
        if shared.unannounced.may_warn(shared.clock.now()) {
            tracing::warn!(%peer, %error, "turned away: a load balancer did not announce a connection; have it speak the PROXY protocol, or turn `proxyProtocol` off");
        }
    })
    .ok()
}
