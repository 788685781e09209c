//! Platforms, members of them and meetings between two members.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use deis_runtime::identity::{Authority, IdentityBundle};
use deis_runtime::{Identity, Peer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, CommonState, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An hour in seconds.
pub(crate) const HOUR: i64 = 60 * 60;

/// A clock that a test sets.
#[derive(Debug)]
pub(crate) struct Clock(AtomicU64);

impl Clock {
    /// A clock that is `seconds` ahead of the system's, and stands still.
    pub(crate) fn ahead(seconds: i64) -> Arc<Self> {
        let now = UnixTime::now().as_secs();
        Arc::new(Self(AtomicU64::new(now.checked_add_signed(seconds).unwrap())))
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds.cast_unsigned(), SeqCst);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.load(SeqCst))))
    }
}

/// One process with its bundle's file and its clock.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<Clock>,
    directory: TempDir,
}

impl Member {
    /// `role` on the host `<role>-host`, as `authority` says, by the system's clock.
    pub(crate) fn new(authority: &Authority, role: &str) -> Self {
        Self::ahead(authority, role, 0)
    }

    /// The same with a clock that is ahead by so many seconds.
    pub(crate) fn ahead(authority: &Authority, role: &str, seconds: i64) -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), Clock::ahead(seconds));
        let path = directory.path().join("identity.pem");
        std::fs::write(&path, authority.issue(role).unwrap().to_pem()).unwrap();
        let identity = Identity::load_at(&path, &format!("{role}-host"), Arc::clone(&clock) as _).unwrap();
        Self { identity, clock, directory }
    }

    /// Replaces the bundle's file as an operator would.
    pub(crate) fn replace(&self, text: &str) {
        deis_runtime::file::write_atomically(&self.path(), text.as_bytes(), 0o600).unwrap();
    }

    /// Gives it another bundle of its role.
    pub(crate) fn reissue(&self, authority: &Authority) {
        self.replace(&authority.issue(self.identity.role()).unwrap().to_pem());
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("identity.pem")
    }
}

/// Both ends of a connection over which something was said, or why there is none.
pub(crate) struct Meeting {
    pub(crate) server: Result<End, String>,
    pub(crate) client: Result<End, String>,
}

/// One end of a connection.
pub(crate) struct End {
    /// Who is at the other end.
    pub(crate) peer: Option<Peer>,
    /// The certificate that the other end showed.
    pub(crate) shown: CertificateDer<'static>,
    pub(crate) stream: Box<dyn Stream>,
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Has a client call a server.
pub(crate) async fn meet(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Meeting {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async {
        let (stream, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(server).accept(stream).await?;
        assert_eq!(stream.read_u8().await?, 1);
        stream.write_u8(2).await?;
        stream.flush().await?;
        let (peer, shown) = other_end(stream.get_ref().1);
        Ok(End { peer, shown, stream: Box::new(stream) })
    };
    let calling = async {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(client).connect(name, stream).await?;
        stream.write_u8(1).await?;
        stream.flush().await?;
        assert_eq!(stream.read_u8().await?, 2);
        let (peer, shown) = other_end(stream.get_ref().1);
        Ok(End { peer, shown, stream: Box::new(stream) })
    };
    let both = async { tokio::join!(serving, calling) };
    let (server, client) = tokio::time::timeout(PATIENCE, both).await.unwrap();
    let told = |error: std::io::Error| error.to_string();
    Meeting { server: server.map_err(told), client: client.map_err(told) }
}

fn other_end(connection: &CommonState) -> (Option<Peer>, CertificateDer<'static>) {
    (Peer::of(connection), connection.peer_certificates().unwrap()[0].clone())
}

/// Has `client` call `server`, which it takes for a `role`.
pub(crate) async fn call(server: &Member, client: &Member, role: &str) -> Meeting {
    meet(server.identity.server(), client.identity.client(role)).await
}

/// Whether both ends know each other by `role`.
pub(crate) async fn can_meet(server: &Member, client: &Member, role: &str) -> bool {
    let meeting = call(server, client, role).await;
    meeting.server.is_ok() && meeting.client.is_ok()
}

/// What a client has that shows what `config` does and believes anybody.
pub(crate) fn credulous(config: &Arc<ClientConfig>) -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(config);
    config.dangerous().set_certificate_verifier(Arc::new(Credulous));
    Arc::new(config)
}

/// What a client has that shows no certificate and believes anybody.
pub(crate) fn nobody() -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_no_client_auth();
    Arc::new(config)
}

/// A role's CA with its key, as whoever reads a bundle's file has it.
pub(crate) fn stolen(bundle: &IdentityBundle) -> (rcgen::Issuer<'static, rcgen::KeyPair>, String) {
    let text = bundle.to_pem();
    let key = rcgen::KeyPair::from_pem(between(&text, "PRIVATE KEY")).unwrap();
    let certificate = between(&text, "CERTIFICATE").to_owned();
    (rcgen::Issuer::from_ca_cert_pem(&certificate, key).unwrap(), certificate)
}

fn between<'a>(text: &'a str, label: &str) -> &'a str {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----\n"));
    let start = text.find(&begin).unwrap();
    let length = text[start..].find(&end).unwrap() + end.len();
    &text[start..start + length]
}

#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
