//! Whether this router lives, for load balancers, and what it has counted.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use deis_model::routing::Encoding;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, VARY};
use http::{Request, Response, StatusCode};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::compress::{Encoder, preferred};
use crate::metrics::Reading;
use crate::shared::Shared;

/// Connections at a time; load balancers and scrapers are few.
pub(crate) const CONNECTIONS: usize = 256;

/// Pages of metrics that are read at a time: each holds on to the services of its table.
const READERS: usize = 8;

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(60);

/// How hard metrics are compressed: they repeat themselves so much that more would gain little.
const LEVEL: u8 = 1;

const ENDING: &str = "503 Service Unavailable: this router is about to end\n";
const CROWDED: &str =
    "503 Service Unavailable: as many read the metrics as may at a time; come again in a few seconds\n";
const STRANGER: &str = "403 Forbidden: metrics are for the platform's own networks; its operators say for whom else (`metrics/whitelist`)\n";
const ELSEWHERE: &str = "404 Not Found: only /health-check and /metrics are here\n";

type Answer = Response<Either<String, Reading>>;

/// Answers those who ask at the port of `/health-check`.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    readers: Arc<Semaphore>,
}

impl Desk {
    /// One that tells of `shared`.
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// Serves one asker.
    pub(crate) async fn serve(self: Arc<Self>, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let peer = stream.peer_addr().ok().map(|peer| peer.ip());
        // The system ends connections whose other end takes nothing.
        if let Err(error) =
            SockRef::from(&stream).set_tcp_user_timeout(Some(self.shared.config.timeouts.scrape))
        {
            tracing::debug!(%error, "a health check's connection broke");
            return;
        }
        let service =
            service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(self.answer(peer, &request)));
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
            tracing::debug!(%error, "a health check's connection broke");
        }
    }

    fn answer<B>(&self, peer: Option<IpAddr>, request: &Request<B>) -> Answer {
        match request.uri().path() {
            "/health-check" if self.shared.closing.is_cancelled() => {
                said(StatusCode::SERVICE_UNAVAILABLE, ENDING)
            }
            "/health-check" => said(StatusCode::OK, ""),
            "/metrics" if !self.may_read_metrics(peer) => said(StatusCode::FORBIDDEN, STRANGER),
            "/metrics" => self.metrics(request),
            _ => said(StatusCode::NOT_FOUND, ELSEWHERE),
        }
    }

    /// They name every app.
    fn may_read_metrics(&self, peer: Option<IpAddr>) -> bool {
        let table = self.shared.table.load();
        peer.is_some_and(|peer| table.mesh.metrics_readers.iter().any(|range| range.contains(peer)))
    }

    fn metrics<B>(&self, request: &Request<B>) -> Answer {
        let Ok(place) = Arc::clone(&self.readers).try_acquire_owned() else {
            let mut crowded = said(StatusCode::SERVICE_UNAVAILABLE, CROWDED);
            crowded.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return crowded;
        };
        let encoder = self.encoder(request);
        let is_coded = encoder.is_some();
        let page = self.shared.metrics();
        let limit = self.shared.config.timeouts.scrape;
        let mut answer = answered(StatusCode::OK, Either::Right(Reading::new(page, encoder, limit, place)));
        answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if is_coded {
            answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answer
    }

    /// What compresses the page if the reader takes that. It works in turns, between which this thread is for others.
    fn encoder<B>(&self, request: &Request<B>) -> Option<Encoder> {
        let lines = request.headers().get_all(ACCEPT_ENCODING).iter();
        let accept: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let encoding = preferred(&accept.join(","), &[Encoding::Gzip])?;
        self.shared.encoders.make(encoding, LEVEL)
    }
}

fn said(status: StatusCode, text: &str) -> Answer {
    answered(status, Either::Left(text.to_owned()))
}

fn answered(status: StatusCode, body: Either<String, Reading>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::Config;
    use crate::routes::Routes;

    fn ask(desk: &Desk, path: &str) -> Answer {
        let peer = Some(IpAddr::from([127, 0, 0, 1]));
        desk.answer(peer, &Request::builder().uri(path).body(()).unwrap())
    }

    #[tokio::test]
    async fn only_so_many_read_the_metrics_at_a_time_and_load_balancers_are_answered_all_the_same() {
        let desk = Desk::new(Arc::new(Shared::new(Config::new("key", "/nowhere"), &Routes::default())));
        let mut pages: Vec<_> = (0..READERS).map(|_| ask(&desk, "/metrics")).collect();
        assert!(pages.iter().all(|page| page.status() == StatusCode::OK));
        let crowded = ask(&desk, "/metrics");
        assert_eq!(crowded.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(crowded.headers().contains_key(RETRY_AFTER));
        assert_eq!(ask(&desk, "/health-check").status(), StatusCode::OK);
        pages.pop();
        assert_eq!(ask(&desk, "/metrics").status(), StatusCode::OK);
    }
}
