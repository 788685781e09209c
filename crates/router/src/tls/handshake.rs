//! Setting up TLS with one client.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ProtocolVersion;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::{StartHandshake, TlsStream};

use super::certificates::Wish;
use super::pair::Pair;
use super::{ACME, HTTP_2, Tls, resolver};
use crate::host::Host;
use crate::table::Table;

/// A fatal alert `unrecognized_name` (112) in a record of its own. Source: RFC 8446 sections 5.1 and 6.2.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// What is known of a connection that is secured.
pub(crate) struct Secured {
    /// The host that the client named; empty if none.
    pub(crate) host: Host,
    /// What it was shown.
    pub(crate) pair: Arc<Pair>,
    /// Whether it speaks HTTP/2 from here on.
    pub(crate) is_http_2: bool,
    /// The version of TLS.
    pub(crate) version: &'static str,
}

impl Secured {
    /// Whether a request for `host` does not belong on this connection: it was secured for another host, by a
    /// certificate that is not for this one, which has one of its own. Source: RFC 9110 section 15.5.20.
    pub(crate) fn is_misdirected(&self, table: &Table, host: &Host) -> bool {
        if host.as_str() == self.host.as_str() || self.pair.covers(host.as_str()) {
            return false;
        }
        let wish = Wish { host: host.as_str(), schemes: None, now: SystemTime::now() };
        table.find(host.as_str()).is_some_and(|service| service.certificates.find(&wish).is_some())
    }
}

/// Why a client gets no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// As many clients set up TLS as may at a time.
    #[error("too many handshakes are under way")]
    Crowded,
    /// It was not done in time.
    #[error("the handshake was not done in time")]
    Overdue,
    /// No certificate is for the host that it names.
    #[error("there is no certificate for {0:?}")]
    UnknownName(String),
    /// A certificate authority's question, which has been answered.
    #[error("it was a certificate authority's challenge")]
    Answered,
    /// It does not speak TLS, or none that is spoken here.
    #[error("the handshake failed")]
    Failed(#[from] io::Error),
}

impl Tls {
    /// Sets up TLS over `stream`. The client has been told why if it fails.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<(TlsStream<S>, Secured), HandshakeError> {
        let _place = self.handshakes.try_acquire().map_err(|_| HandshakeError::Crowded)?;
        let shaken = tokio::time::timeout(self.patience, self.shake(stream)).await;
        shaken.unwrap_or(Err(HandshakeError::Overdue))
    }

    async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<(TlsStream<S>, Secured), HandshakeError> {
        let started = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = started.client_hello();
        let host = resolver::host(&hello);
        if hello.alpn().into_iter().flatten().any(|protocol| protocol == ACME)
            && self.table.load().challenges.certificate(host.as_str()).is_some()
        {
            return self.prove(started).await;
        }
        let schemes = Some(hello.signature_schemes());
        let wish = Wish { host: host.as_str(), schemes, now: SystemTime::now() };
        let Some(pair) = resolver::choose(&self.table.load(), &wish).cloned() else {
            return Err(refuse(started, &host).await);
        };
        let config = Arc::clone(self.current.load().config(&hello));
        let stream = started.into_stream(config).await?;
        let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        let version = match stream.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        };
        Ok((stream, Secured { host, pair, is_http_2, version }))
    }

    /// Answers a certificate authority, which only looks at the certificate.
    async fn prove<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        started: StartHandshake<S>,
    ) -> Result<(TlsStream<S>, Secured), HandshakeError> {
        let mut stream = started.into_stream(Arc::clone(&self.challenge_config)).await?;
        stream.shutdown().await?;
        Err(HandshakeError::Answered)
    }
}

async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    started: StartHandshake<S>,
    host: &Host,
) -> HandshakeError {
    let mut stream = started.io;
    let told = async {
        stream.write_all(&UNRECOGNIZED_NAME).await?;
        stream.shutdown().await
    };
    match told.await {
        Ok(()) => HandshakeError::UnknownName(host.as_str().to_owned()),
        Err(error) => HandshakeError::Failed(error),
    }
}
