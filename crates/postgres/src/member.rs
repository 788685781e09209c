//! What members ask each other before etcd has anything to say: `GET /member`.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deis_runtime::Shutdown;
use futures::future::join_all;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::error::DatabaseError;
use crate::etcd::Peer;
use crate::http::{Http, address};
use crate::layout::Layout;
use crate::tls::TlsFiles;

/// How long one connection may take: it is for one question.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many connections there may be at once.
const CONNECTIONS: usize = 32;

/// What this host says of itself.
pub(crate) fn own_state(layout: &Layout) -> Peer {
    Peer { has_etcd: layout.has_etcd(), founding: layout.founding().exists(), has_data: layout.has_data() }
}

/// What each other host says of itself; none if it does not answer.
pub(crate) async fn ask_others(config: &Config, http: &Http) -> Vec<(String, Option<Peer>)> {
    let asked = config.others().map(|member| async {
        let url = format!("{}/member", address(config.scheme(), member.address, config.ports.member));
        (member.name.clone(), http.get("ask another host of the database", &url).await.ok())
    });
    join_all(asked).await
}

/// Answers the other members until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    layout: Layout,
    tls: Option<TlsFiles>,
    shutdown: Shutdown,
) -> Result<(), DatabaseError> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Some(place) = next(&places, &shutdown).await {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of files, most likely: that passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (layout, tls) = (layout.clone(), tls.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(TIMEOUT, converse(stream, layout, tls)).await;
            drop(place);
        });
    }
    Ok(())
}

async fn next(places: &Arc<Semaphore>, shutdown: &Shutdown) -> Option<tokio::sync::OwnedSemaphorePermit> {
    tokio::select! {
        () = shutdown.cancelled() => None,
        place = places.clone().acquire_owned() => place.ok(),
    }
}

async fn converse(stream: TcpStream, layout: Layout, tls: Option<TlsFiles>) -> anyhow::Result<()> {
    match tls {
        None => answer(stream, layout).await,
        // The files of this moment: they are renewed while this runs.
        Some(files) => {
            answer(TlsAcceptor::from(Arc::new(acceptor(&files)?)).accept(stream).await?, layout).await
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, layout: Layout) -> anyhow::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let layout = layout.clone();
        async move { Ok::<_, Infallible>(respond(&request, &layout)) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    Ok(server
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await?)
}

fn respond(request: &Request<Incoming>, layout: &Layout) -> Response<Full<Bytes>> {
    let body = serde_json::to_vec(&own_state(layout)).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    if request.uri().path() != "/member" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Lets members in, and nobody else.
fn acceptor(files: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = |path: &Path| -> anyhow::Result<Vec<CertificateDer<'static>>> {
        Ok(CertificateDer::pem_file_iter(path)?.collect::<Result<_, _>>()?)
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&files.authorities)? {
        roots.add(authority)?;
    }
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    Ok(config.with_client_cert_verifier(clients).with_single_cert(certificates(&files.certificate)?, key)?)
}
