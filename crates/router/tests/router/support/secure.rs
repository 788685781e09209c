//! Visitors over TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Authority, Client};

/// One who trusts an authority and remembers sessions.
#[derive(Clone)]
pub(crate) struct Visitor {
    config: Arc<ClientConfig>,
}

impl Visitor {
    /// Speaks these protocols, if any is given.
    pub(crate) fn new(authority: &Authority, protocols: &[&str]) -> Self {
        Self::with(authority, |config| {
            config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        })
    }

    /// The same who speaks HTTP/2.
    pub(crate) fn speaking_h2(&self) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { config: Arc::new(config) }
    }

    /// Speaks this version of TLS only.
    pub(crate) fn speaking(authority: &Authority, version: &'static SupportedProtocolVersion) -> Self {
        super::install_crypto();
        let builder = ClientConfig::builder_with_protocol_versions(&[version]);
        let config = builder.with_root_certificates(roots(authority)).with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    fn with(authority: &Authority, change: impl FnOnce(&mut ClientConfig)) -> Self {
        super::install_crypto();
        let mut config =
            ClientConfig::builder().with_root_certificates(roots(authority)).with_no_client_auth();
        change(&mut config);
        Self { config: Arc::new(config) }
    }

    /// A connection secured for `host`.
    pub(crate) async fn open(&self, address: SocketAddr, host: &str) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connecting = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream);
        tokio::time::timeout(super::PATIENCE, connecting).await.expect("the handshake ends in time")
    }

    /// The same, to speak HTTP/1.1 over.
    pub(crate) async fn client(&self, address: SocketAddr, host: &str) -> Client {
        Client::over(self.open(address, host).await.unwrap())
    }

    /// The serial number of the certificate that is shown for `host`.
    pub(crate) async fn shown(&self, address: SocketAddr, host: &str) -> io::Result<String> {
        let stream = self.open(address, host).await?;
        let chain = stream.get_ref().1.peer_certificates().expect("one is shown");
        Ok(serial(&chain[0]))
    }
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(authority.root()).unwrap();
    roots
}

/// The serial number of a certificate.
pub(crate) fn serial(certificate: &CertificateDer<'_>) -> String {
    let (_, certificate) = X509Certificate::from_der(certificate).unwrap();
    certificate.raw_serial_as_string()
}
