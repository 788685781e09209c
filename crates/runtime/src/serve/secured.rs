//! Accepting connections over mutual TLS.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::{Identity, Peer};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes under way at most; a further one ends the oldest, which has had its chance.
const HANDSHAKES: usize = 256;

/// Listens for members of the platform. Handshakes go on side by side, so that nobody waits for another's.
pub(super) struct SecuredListener {
    listener: TcpListener,
    config: Arc<ServerConfig>,
    handshakes: JoinSet<Option<Welcomed>>,
    /// The oldest first; some may be done.
    order: VecDeque<AbortHandle>,
}

type Welcomed = (TlsStream<TcpStream>, SocketAddr);

/// Who called, for a request's extensions.
#[derive(Clone)]
pub(super) struct Caller {
    /// From where.
    pub(super) address: SocketAddr,
    /// Who, by the certificate.
    pub(super) peer: Option<Peer>,
}

impl SecuredListener {
    /// Accepts from `listener` whoever belongs to the platform of `identity`.
    pub(super) fn new(listener: TcpListener, identity: &Identity) -> Self {
        let (handshakes, order) = (JoinSet::new(), VecDeque::new());
        Self { listener, config: identity.server(), handshakes, order }
    }

    fn welcome(&mut self, stream: TcpStream, address: SocketAddr) {
        self.order.retain(|handshake| !handshake.is_finished());
        if self.order.len() >= HANDSHAKES
            && let Some(oldest) = self.order.pop_front()
        {
            oldest.abort();
        }
        let handshake = shake_hands(Arc::clone(&self.config), stream, address);
        self.order.push_back(self.handshakes.spawn(handshake));
    }
}

impl Listener for SecuredListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener) => self.welcome(stream, address),
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(welcomed)) = done {
                        return welcomed;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, SecuredListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, SecuredListener>) -> Self {
        Self { address: *stream.remote_addr(), peer: Peer::of(stream.io().get_ref().1) }
    }
}

async fn shake_hands(config: Arc<ServerConfig>, stream: TcpStream, address: SocketAddr) -> Option<Welcomed> {
    let _ = stream.set_nodelay(true);
    let shaken = tokio::time::timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await;
    match shaken.map_err(io::Error::from).and_then(|shaken| shaken) {
        Ok(stream) => Some((stream, address)),
        Err(error) => {
            tracing::debug!(%address, %error, "a caller does not prove to belong to this platform");
            None
        }
    }
}
