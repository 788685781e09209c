//! A wire between the database and its server that a test can cut at the worst moment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// When to cut the connection on which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// When the client wants to commit; the server does not hear of it.
    BeforeCommit,
    /// When the server has committed; the client does not hear of it.
    AfterCommit,
}

/// What the client says when it wants to commit, and what the server says when it has.
const COMMIT_WANTED: &[u8] = b"COMMIT\0";
const COMMIT_DONE: &[u8] = b"COMMIT\0";

/// Passes bytes between clients and one server.
pub(crate) struct Proxy {
    address: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
    flowing: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy to the server at `target`.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are free ports");
        let address = listener.local_addr().expect("it listens");
        let (cut, flowing) = (Arc::new(Mutex::new(None)), watch::channel(true).0);
        let (armed, flows) = (Arc::clone(&cut), flowing.subscribe());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target, Arc::clone(&armed), flows.clone()));
            }
        });
        Self { address, cut, flowing }
    }

    /// The URL that leads through it to where `url` leads.
    pub(crate) fn url(&self, url: &str, target: SocketAddr) -> String {
        url.replace(&target.to_string(), &self.address.to_string())
    }

    /// Cuts one connection, once it comes to that.
    pub(crate) fn arm(&self, cut: Cut) {
        *self.cut.lock().expect("nobody panics with it") = Some(cut);
    }

    /// Whether the cut is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.cut.lock().expect("nobody panics with it").is_some()
    }

    /// Lets nothing through any more, without a word to either side, as when a host loses its power; or all again.
    pub(crate) fn flow(&self, flowing: bool) {
        self.flowing.send_replace(flowing);
    }
}

async fn connect(
    client: TcpStream,
    target: SocketAddr,
    cut: Arc<Mutex<Option<Cut>>>,
    flowing: watch::Receiver<bool>,
) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((client_reads, client_writes), (server_reads, server_writes)) =
        (client.into_split(), server.into_split());
    let to_server =
        Way { cut: Arc::clone(&cut), when: Cut::BeforeCommit, sign: COMMIT_WANTED, flowing: flowing.clone() };
    let to_client = Way { cut, when: Cut::AfterCommit, sign: COMMIT_DONE, flowing };
    // The first end ends both.
    tokio::select! {
        () = to_server.carry(client_reads, server_writes) => {}
        () = to_client.carry(server_reads, client_writes) => {}
    }
}

/// One direction of a connection.
struct Way {
    cut: Arc<Mutex<Option<Cut>>>,
    when: Cut,
    sign: &'static [u8],
    flowing: watch::Receiver<bool>,
}

impl Way {
    async fn carry(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 65536];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..length];
            if self.flowing.wait_for(|flowing| *flowing).await.is_err() || self.cuts(bytes) {
                return;
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }

    fn cuts(&self, bytes: &[u8]) -> bool {
        let mut cut = self.cut.lock().expect("nobody panics with it");
        let now = *cut == Some(self.when) && bytes.windows(self.sign.len()).any(|window| window == self.sign);
        if now {
            *cut = None;
        }
        now
    }
}
