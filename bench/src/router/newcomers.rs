//! Visitors who remember nothing: each sets up TLS from nothing, asks once over HTTP/1.1, and leaves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::case::Case;
use super::certificate::Certificate;
use super::load::Seen;

/// Asks the router at `address` by the rules of `case`, for `seconds`.
pub(super) fn ask(case: &Case, address: SocketAddr, seconds: u32, certificate: &Certificate) -> Seen {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime needs nothing");
    let until = Instant::now() + Duration::from_secs(seconds.into());
    let newcomer = Newcomer {
        connector: TlsConnector::from(Arc::new(remembering_nothing(certificate))),
        address,
        request: format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            case.path,
            super::host(0)
        ),
    };
    let all = runtime.block_on(futures::future::join_all(
        (0..case.connections).map(|_| newcomer.come_again_and_again(until)),
    ));
    let failed = all.iter().flatten().filter(|visit| visit.is_none()).count();
    let mut times: Vec<f64> =
        all.into_iter().flatten().flatten().map(|time| time.as_secs_f64() * 1e3).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
    // Exact below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds are small")]
    let [requests, failed] = [times.len() as f64, failed as f64];
    Seen { requests, failed, rate: requests / f64::from(seconds), p50: at(50), p99: at(99) }
}

fn remembering_nothing(certificate: &Certificate) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(certificate.authority.as_bytes());
    roots.add(authority.expect("it has just been made")).expect("it is one");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    config
}

/// How each of them comes.
struct Newcomer {
    connector: TlsConnector,
    address: SocketAddr,
    request: String,
}

impl Newcomer {
    /// One after another: how long each took; none for one who was not served.
    async fn come_again_and_again(&self, until: Instant) -> Vec<Option<Duration>> {
        let mut visits = Vec::new();
        while Instant::now() < until {
            let started = Instant::now();
            let is_served = self.come().await.unwrap_or(false);
            visits.push(is_served.then(|| started.elapsed()));
        }
        visits
    }

    async fn come(&self) -> std::io::Result<bool> {
        let stream = TcpStream::connect(self.address).await?;
        let host = ServerName::try_from(super::host(0)).expect("a host's name");
        let mut stream = self.connector.connect(host, stream).await?;
        stream.write_all(self.request.as_bytes()).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        // Some routers leave without TLS's goodbye.
        let _ = stream.read_to_end(&mut answer).await;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    }
}
