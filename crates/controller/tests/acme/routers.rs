//! FakeRouters that only answer challenges.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use deis_api::internal::{Challenge, ChallengeKind};
use deis_controller::acme::Routers;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// All routers of a mesh, as one.
#[derive(Debug)]
pub(crate) struct FakeRouters {
    /// Where plain HTTP is served.
    pub(crate) http: SocketAddr,
    /// Where TLS is.
    pub(crate) tls: SocketAddr,
    challenges: Mutex<Vec<Challenge>>,
    generation: AtomicU64,
    /// Whether they serve visitors of these names at all.
    pub(crate) are_there: AtomicBool,
    /// Whether they acknowledge what they are told.
    pub(crate) acknowledge: AtomicBool,
    /// When somebody waits for that.
    pub(crate) awaited: Notify,
    /// How often they answered a challenge.
    pub(crate) answered: AtomicU64,
}

impl FakeRouters {
    pub(crate) async fn start() -> Arc<Self> {
        let listen = || TcpListener::bind("127.0.0.1:0");
        let (plain, secured) = (listen().await.unwrap(), listen().await.unwrap());
        let routers = Arc::new(Self {
            http: plain.local_addr().unwrap(),
            tls: secured.local_addr().unwrap(),
            challenges: Mutex::default(),
            generation: AtomicU64::new(1),
            are_there: AtomicBool::new(true),
            acknowledge: AtomicBool::new(true),
            awaited: Notify::new(),
            answered: AtomicU64::new(0),
        });
        let app = Router::new().fallback(page).with_state(Arc::clone(&routers));
        tokio::spawn(async move { axum::serve(plain, app).await.unwrap() });
        tokio::spawn(Arc::clone(&routers).secure(secured));
        routers
    }

    /// What they are told to answer.
    pub(crate) fn challenges(&self) -> Vec<Challenge> {
        self.challenges.lock().unwrap().clone()
    }

    async fn secure(self: Arc<Self>, listener: TcpListener) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    }

    fn find<T>(&self, host: &str, read: impl Fn(&ChallengeKind) -> Option<T>) -> Option<T> {
        let challenges = self.challenges();
        let found =
            challenges.iter().filter(|challenge| challenge.host == host).find_map(|found| read(&found.kind));
        let found = found.filter(|_| self.are_there.load(Ordering::SeqCst));
        self.answered.fetch_add(u64::from(found.is_some()), Ordering::SeqCst);
        found
    }
}

async fn page(
    State(routers): State<Arc<FakeRouters>>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<String, StatusCode> {
    let host = headers["host"].to_str().unwrap().split(':').next().unwrap();
    let found = routers.find(host, |kind| match kind {
        ChallengeKind::Http01 { token, authorization } => {
            let path = format!("/.well-known/acme-challenge/{token}");
            (uri.path() == path).then(|| authorization.clone())
        }
        ChallengeKind::TlsAlpn01 { .. } => None,
    });
    found.ok_or(StatusCode::NOT_FOUND)
}

impl ResolvesServerCert for FakeRouters {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name()?, |kind| match kind {
            ChallengeKind::TlsAlpn01 { pair } => Some(Arc::new(certified(&pair.chain, &pair.key).ok()?)),
            ChallengeKind::Http01 { .. } => None,
        })
    }
}

fn certified(chain: &str, key: &str) -> io::Result<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(io::Error::other)?;
    Ok(CertifiedKey::new(chain, key))
}

#[async_trait]
impl Routers for FakeRouters {
    fn tell(&self, challenges: Vec<Challenge>) -> u64 {
        *self.challenges.lock().unwrap() = challenges;
        self.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn await_told(&self, generation: u64) -> bool {
        assert!(generation <= self.generation.load(Ordering::SeqCst));
        self.awaited.notify_one();
        if !self.acknowledge.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        true
    }
}
