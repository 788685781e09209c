//! A registry under test, and a client that says exactly what it is told to.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use deis_registry::{Config, Credentials, Limits, Registry};
use deis_runtime::{Role, Shutdown, StatusBoard};
use deis_store::ObjectStore;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

pub(crate) const USERNAME: &str = "deis";
pub(crate) const PASSWORD: &str = "test-only";
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry in this process, ended when dropped.
pub(crate) struct TestRegistry {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) status: StatusBoard,
    shutdown: Shutdown,
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl TestRegistry {
    pub(crate) async fn start() -> Self {
        Self::start_with(deis_store::open("memory://").await.unwrap(), Limits::default()).await
    }

    pub(crate) async fn start_with(store: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let (shutdown, status) = (Shutdown::new(), StatusBoard::new(Role::Registry));
        let credentials = Credentials { username: USERNAME.into(), password: PASSWORD.into() };
        let (listen, kept, board) = (([127, 0, 0, 1], 0).into(), store.clone(), status.clone());
        let registry = Registry::bind(Config { listen, store, credentials, limits, identity: None, status })
            .await
            .unwrap();
        let address = registry.local_addr();
        tokio::spawn(registry.run(shutdown.clone()));
        Self { address, store: kept, status: board, shutdown }
    }

    pub(crate) fn client(&self) -> Client {
        Client { address: self.address }
    }
}

/// A client of one registry. Every request has a connection of its own.
#[derive(Clone, Copy)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The code of the first error.
    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?} {:?}", self.headers, self.body);
        self
    }

    /// Expects an error.
    #[track_caller]
    pub(crate) fn refuse(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code);
        answer
    }
}

impl Client {
    /// Sends a request as it is, without credentials.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let host = self.address.to_string().parse().unwrap();
        request.headers_mut().insert(header::HOST, host);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.send(request(method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    pub(crate) async fn head(&self, path: &str) -> Answer {
        self.call(Method::HEAD, path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, &[], "").await
    }

    /// Begins an upload and gives its path, with the query that some registries add.
    pub(crate) async fn begin(&self, name: &str) -> String {
        let begun = self.call(Method::POST, &format!("/v2/{name}/blobs/uploads/"), &[], "").await.expect(202);
        begun.header("location").trim_start_matches(&format!("http://{}", self.address)).to_owned()
    }

    pub(crate) async fn push_blob(&self, name: &str, content: &str) -> String {
        let (upload, digest) = (self.begin(name).await, digest(content));
        let path = format!("{upload}{}digest={digest}", if upload.contains('?') { '&' } else { '?' });
        self.call(Method::PUT, &path, &[], content.to_owned()).await.expect(201);
        digest
    }

    pub(crate) async fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        manifest: &Value,
    ) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.call(Method::PUT, &path, &[("content-type", media_type)], manifest.to_string()).await
    }

    /// Pushes an image of one layer under a tag and gives its digest.
    pub(crate) async fn push_image(&self, name: &str, tag: &str, layer: &str) -> String {
        self.push_blob(name, "{}").await;
        self.push_blob(name, layer).await;
        let put = self.put_manifest(name, tag, IMAGE, &image(layer)).await.expect(201);
        put.header("docker-content-digest").to_owned()
    }
}

/// A request with credentials.
pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let credentials = format!("Basic {}", STANDARD.encode(format!("{USERNAME}:{PASSWORD}")));
    let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, credentials);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

pub(crate) fn digest(content: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

pub(crate) fn descriptor(content: &str, media_type: &str) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

/// The manifest of an image with an empty configuration and one layer.
pub(crate) fn image(layer: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
    })
}
