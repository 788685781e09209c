//! Images on this host: its engine asks an address on loopback, which every engine trusts without being told to, and is
//! answered by a registry of the platform, wherever that is.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use deis_api::client::InternalClient;
use deis_runtime::{Shutdown, StatusBoard};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tracing::warn;

/// Headers that concern one connection and are not handed on (RFC 9110 section 7.6.1), and those that this side sets.
const NOT_HANDED_ON: [HeaderName; 9] = [
    CONNECTION,
    HOST,
    AUTHORIZATION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What the forwarder needs.
#[derive(Clone)]
pub struct Config {
    /// Where the engine of this host asks for images; loopback.
    pub listen: SocketAddr,
    /// The registries, and who to be there.
    pub registry: InternalClient,
    /// Whether the engine of this host may also push: only where a builder may be.
    pub pushes: bool,
}

/// Answers the engine of one host from the platform's registries.
pub struct Forwarder {
    listener: TcpListener,
    passage: Passage,
}

/// What every request passes through.
#[derive(Clone)]
struct Passage {
    registry: InternalClient,
    pushes: bool,
    status: StatusBoard,
}

impl Forwarder {
    /// Listens; nothing is answered before [`Forwarder::run`].
    pub async fn bind(config: Config, status: StatusBoard) -> anyhow::Result<Self> {
        let listener = deis_runtime::bind(config.listen).await?;
        let passage = Passage { registry: config.registry, pushes: config.pushes, status };
        Ok(Self { listener, passage })
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Forwards until `shutdown`.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let router = Router::new().fallback(forward).with_state(self.passage);
        Ok(deis_runtime::serve(self.listener, router, shutdown).await?)
    }
}

async fn forward(State(passage): State<Passage>, request: Request) -> Response {
    match passage.refusal(&request) {
        Some(refusal) => refusal,
        None => passage.forward(request).await,
    }
}

impl Passage {
    /// Why `request` may not pass: only the registry protocol does, and of it what this host may do.
    fn refusal(&self, request: &Request) -> Option<Response> {
        if !request.uri().path().starts_with("/v2/") {
            return Some(refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "only /v2/ is served here"));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if !reads && !self.pushes {
            let detail = "images are pushed from control plane hosts only; this host may pull";
            return Some(refusal(StatusCode::FORBIDDEN, "DENIED", detail));
        }
        None
    }

    async fn forward(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/v2/", |path| path.as_str());
        let mut outgoing =
            self.registry.request(parts.method.clone(), path).headers(handed_on(&parts.headers));
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
        }
        match self.registry.answer(outgoing).await {
            Ok(answer) => {
                self.status.well("registry");
                relayed(answer)
            }
            Err(failure) => {
                warn!(error = %failure, "failed to reach a registry");
                self.status.trouble("registry", &failure, "see `deisctl status registry`");
                refusal(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &failure.to_string())
            }
        }
    }
}

/// The answer as it came, its body as it comes.
fn relayed(answer: reqwest::Response) -> Response {
    let (status, headers) = (answer.status(), handed_on(answer.headers()));
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn handed_on(headers: &HeaderMap) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| !NOT_HANDED_ON.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An error in the form of the OCI Distribution specification.
fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}
