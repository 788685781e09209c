//! A registry over the cluster, and a client of it.

use deis_registry::{Config, Credentials, Limits};
use deis_runtime::{Role, Shutdown, StatusBoard};
use deis_store::ObjectStore;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{net::SocketAddr, sync::Arc, time::Duration};

pub(crate) const USERNAME: &str = "deis";
pub(crate) const PASSWORD: &str = "test-only";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The configuration of every image.
const CONFIG: &[u8] = b"{}";

/// A registry in this process, ended when dropped.
pub(crate) struct Registry {
    pub(crate) address: SocketAddr,
    pub(crate) status: StatusBoard,
    shutdown: Shutdown,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Registry {
    pub(crate) async fn start(store: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let (shutdown, status) = (Shutdown::new(), StatusBoard::new(Role::Registry));
        let credentials = Credentials { username: USERNAME.into(), password: PASSWORD.into() };
        let (listen, board) = (([127, 0, 0, 1], 0).into(), status.clone());
        let config = Config { listen, store, credentials, limits, identity: None, status };
        let registry = deis_registry::Registry::bind(config).await.unwrap();
        let address = registry.local_addr();
        tokio::spawn(registry.run(shutdown.clone()));
        Self { address, status: board, shutdown }
    }

    pub(crate) fn client(&self) -> Client {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        Client { address: self.address, http }
    }
}

/// A client of one registry.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = path.trim_start_matches(&format!("http://{}", self.address));
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        request.basic_auth(USERNAME, Some(PASSWORD))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// Begins an upload, and gives its path.
    pub(crate) async fn begin(&self, name: &str) -> Result<String, String> {
        let begin = self.request(Method::POST, &format!("/v2/{name}/blobs/uploads/"));
        let begun = expect(begin, StatusCode::ACCEPTED).await?;
        Ok(begun.headers()["location"].to_str().unwrap().to_owned())
    }

    /// Adds to an upload.
    pub(crate) async fn append(&self, upload: &str, content: &[u8]) -> Result<(), String> {
        let append = self.request(Method::PATCH, upload).body(content.to_vec());
        expect(append, StatusCode::ACCEPTED).await.map(|_| ())
    }

    /// Makes an upload a blob.
    pub(crate) async fn finish(&self, upload: &str, content: &[u8]) -> Result<(), String> {
        let path = format!("{upload}?digest={}", digest(content));
        expect(self.request(Method::PUT, &path), StatusCode::CREATED).await.map(|_| ())
    }

    pub(crate) async fn push_blob(&self, name: &str, content: &[u8]) -> Result<(), String> {
        let upload = self.begin(name).await?;
        self.append(&upload, content).await?;
        self.finish(&upload, content).await
    }

    /// Pushes an image of one layer. When this succeeds, everything is acknowledged.
    pub(crate) async fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> Result<(), String> {
        self.push_blob(name, CONFIG).await?;
        self.push_blob(name, layer).await?;
        let put = self.request(Method::PUT, &format!("/v2/{name}/manifests/{tag}"));
        let put = put.header("content-type", IMAGE).body(image(layer).to_string());
        expect(put, StatusCode::CREATED).await.map(|_| ())
    }

    /// Reads an image back and compares it with what was pushed.
    pub(crate) async fn check_image(&self, name: &str, tag: &str, layer: &[u8]) -> Result<(), String> {
        let manifest = self.request(Method::GET, &format!("/v2/{name}/manifests/{tag}"));
        let manifest = expect(manifest, StatusCode::OK).await?.json::<Value>().await;
        let manifest = manifest.map_err(|error| error.to_string())?;
        assert_eq!(manifest, image(layer), "{name}:{tag}");
        for content in [CONFIG, layer] {
            let blob = self.request(Method::GET, &format!("/v2/{name}/blobs/{}", digest(content)));
            let read =
                expect(blob, StatusCode::OK).await?.bytes().await.map_err(|error| error.to_string())?;
            assert!(read == content, "a blob of {name}:{tag} reads back otherwise");
        }
        Ok(())
    }

    /// Collects garbage: of the repository `name`, the tags `keep` are in use.
    pub(crate) async fn collect(&self, name: &str, keep: &[&str]) -> Result<Value, String> {
        let collect =
            self.request(Method::POST, "/internal/garbage").json(&json!({ "keep": { name: keep } }));
        let report = expect(collect, StatusCode::OK).await?.json().await;
        report.map_err(|error| error.to_string())
    }
}

/// The answer, or what it was instead.
async fn expect(request: RequestBuilder, status: StatusCode) -> Result<Response, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    match answer.status() == status {
        true => Ok(answer),
        false => Err(format!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())),
    }
}

pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

fn image(layer: &[u8]) -> Value {
    let descriptor = |content: &[u8], media_type: &str| json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() });
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor(CONFIG, "application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar")],
    })
}

/// Bytes that do not compress, other ones for each `seed`.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}
