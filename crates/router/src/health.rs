//! Whether this router lives, for load balancers, and what it has counted.

use std::convert::Infallible;
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
const ELSEWHERE: &str = "404 Not Found: only /health-check and /metrics are here\n";

/// Serves one asker.
pub(crate) async fn serve(shared: Arc<Shared>, stream: TcpStream, _place: OwnedSemaphorePermit) {
    let service =
        service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(answer(&shared, &request)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a health check's connection broke");
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Either<String, Exposition>> {
    let (status, body) = match request.uri().path() {
        "/health-check" if shared.closing.is_cancelled() => {
            (StatusCode::SERVICE_UNAVAILABLE, Either::Left(ENDING.to_owned()))
        }
        "/health-check" => (StatusCode::OK, Either::Left(String::new())),
        "/metrics" => (StatusCode::OK, Either::Right(shared.metrics())),
        _ => (StatusCode::NOT_FOUND, Either::Left(ELSEWHERE.to_owned())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}
