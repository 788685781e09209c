//! The forwarder between an engine and a registry that only notes what it is asked.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use deis_agent::images::{Config, Forwarder};
use deis_api::client::InternalClient;
use deis_runtime::{Role, Shutdown, StatusBoard};

/// `name:password` of the platform's account, as HTTP Basic authentication has it.
const ACCOUNT: &str = "Basic bmFtZTpwYXNzd29yZA==";

/// Tells back what it was asked; manifests do not exist.
async fn registry(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if uri.path().contains("/manifests/") {
        return (StatusCode::NOT_FOUND, [("docker-content-digest", "none")]).into_response();
    }
    let credentials = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
    format!("{method} {uri} as {credentials} with {} bytes", body.len()).into_response()
}

/// A forwarder, and what ends it and the registry behind it.
struct Running {
    address: SocketAddr,
    shutdown: Shutdown,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn start(pushes: bool) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let shutdown = Shutdown::new();
    let listener = deis_runtime::bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
    let behind = listener.local_addr().expect("bound");
    let router = Router::new().fallback(registry);
    tokio::spawn(deis_runtime::serve(listener, router, shutdown.clone()));
    let registry = InternalClient::of_registry(&format!("http://{behind}"), "name", "password");
    let config = Config { listen: "127.0.0.1:0".parse().expect("an address"), registry, pushes };
    let forwarder = Forwarder::bind(config, StatusBoard::new(Role::Publisher)).await.expect("a free port");
    let address = forwarder.local_addr().expect("bound");
    tokio::spawn(forwarder.run(shutdown.clone()));
    Running { address, shutdown }
}

impl Running {
    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, String) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method, format!("http://{}{path}", self.address)).body(body);
        let answer = request.basic_auth("somebody", Some("else")).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    }
}

#[tokio::test]
async fn the_engine_is_the_platform_to_the_registry() {
    let host = start(true).await;
    let (status, text) = host.ask(Method::GET, "/v2/blog/blobs/sha256:1?n=2", Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text, format!("GET /v2/blog/blobs/sha256:1?n=2 as {ACCOUNT} with 0 bytes"));
}

#[tokio::test]
async fn answers_come_back_as_they_are() {
    let host = start(true).await;
    assert_eq!(host.ask(Method::GET, "/v2/blog/manifests/v1", Vec::new()).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn layers_are_handed_on() {
    let host = start(true).await;
    let (_, text) = host.ask(Method::PATCH, "/v2/blog/blobs/uploads/1", vec![7; 300_000]).await;
    assert_eq!(text, format!("PATCH /v2/blog/blobs/uploads/1 as {ACCOUNT} with 300000 bytes"));
}

#[tokio::test]
async fn a_host_without_builder_only_reads() {
    let host = start(false).await;
    let (status, text) = host.ask(Method::POST, "/v2/blog/blobs/uploads/", Vec::new()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("control plane"), "{text}");
    assert_eq!(host.ask(Method::HEAD, "/v2/blog/blobs/sha256:1", Vec::new()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn nothing_but_the_registry_protocol_passes() {
    let host = start(true).await;
    assert_eq!(host.ask(Method::POST, "/internal/garbage", Vec::new()).await.0, StatusCode::NOT_FOUND);
}
