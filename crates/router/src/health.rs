//! Whether this router lives, for load balancers, and what it has counted.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::metrics::Exposition;
use crate::shared::Shared;

/// Connections at a time; load balancers and scrapers are few.
pub(crate) const CONNECTIONS: usize = 256;

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(60);

const ENDING: &str = "503 Service Unavailable: this router is about to end\n";
const STRANGER: &str = "403 Forbidden: metrics are for the platform's own networks; its operators say for whom else (`metrics/whitelist`)\n";
const ELSEWHERE: &str = "404 Not Found: only /health-check and /metrics are here\n";

/// Serves one asker.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, _place: OwnedSemaphorePermit) {
    let peer = stream.peer_addr().ok().map(|peer| peer.ip());
    let service =
        service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(&shared, peer, &request)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a health check's connection broke");
    }
}

fn answer(
    shared: &Shared,
    peer: Option<IpAddr>,
    request: &Request<Incoming>,
) -> Response<Either<String, Exposition>> {
    let (status, body) = match request.uri().path() {
        "/health-check" if shared.closing.is_cancelled() => {
            (StatusCode::SERVICE_UNAVAILABLE, Either::Left(ENDING.to_owned()))
        }
        "/health-check" => (StatusCode::OK, Either::Left(String::new())),
        "/metrics" if !may_read_metrics(shared, peer) => {
            (StatusCode::FORBIDDEN, Either::Left(STRANGER.to_owned()))
        }
        "/metrics" => (StatusCode::OK, Either::Right(shared.metrics())),
        _ => (StatusCode::NOT_FOUND, Either::Left(ELSEWHERE.to_owned())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}

/// They name every app.
fn may_read_metrics(shared: &Shared, peer: Option<IpAddr>) -> bool {
    let table = shared.table.load();
    peer.is_some_and(|peer| table.mesh.metrics_readers.iter().any(|range| range.contains(peer)))
}
