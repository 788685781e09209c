//! Asking etcd, Patroni and other members over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::DatabaseError;

/// How long an answer may take. Somebody who is there answers at once.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a host may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest answer that is read.
const ANSWER_LIMIT: usize = 1 << 20;

/// `scheme://address:port`, with brackets where IPv6 needs them.
pub(crate) fn address(scheme: &str, address: IpAddr, port: u16) -> String {
    format!("{scheme}://{}", SocketAddr::new(address, port))
}

/// A client that every question goes through. Clones share what [`Http::replace`] does.
#[derive(Clone)]
pub(crate) struct Http {
    client: Arc<RwLock<reqwest::Client>>,
}

impl Http {
    pub(crate) fn new(builder: reqwest::ClientBuilder) -> Result<Self, DatabaseError> {
        Ok(Self { client: Arc::new(RwLock::new(build(builder)?)) })
    }

    /// Asks with other certificates from now on.
    pub(crate) fn replace(&self, builder: reqwest::ClientBuilder) -> Result<(), DatabaseError> {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = build(builder)?;
        Ok(())
    }

    fn client(&self) -> reqwest::Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn get<T: for<'a> Deserialize<'a>>(
        &self,
        action: &'static str,
        url: &str,
    ) -> Result<T, DatabaseError> {
        answer(action, url, self.client().get(url)).await
    }

    pub(crate) async fn post<T: for<'a> Deserialize<'a>>(
        &self,
        action: &'static str,
        url: &str,
        body: &Value,
    ) -> Result<T, DatabaseError> {
        answer(action, url, self.client().post(url).json(body)).await
    }

    /// Changes something that answers with words, not with JSON.
    pub(crate) async fn order(
        &self,
        action: &'static str,
        url: &str,
        patch: bool,
        body: &Value,
    ) -> Result<(), DatabaseError> {
        let request = if patch { self.client().patch(url) } else { self.client().post(url) };
        told(action, url, request.json(body)).await.map(drop)
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, DatabaseError> {
    let client = builder.no_proxy().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
    client.map_err(|error| DatabaseError::Settings { reason: chain(&error) })
}

async fn answer<T: for<'a> Deserialize<'a>>(
    action: &'static str,
    url: &str,
    request: reqwest::RequestBuilder,
) -> Result<T, DatabaseError> {
    let text = told(action, url, request).await?;
    serde_json::from_slice(&text).map_err(|error| failed(action, url, error.to_string()))
}

async fn told(
    action: &'static str,
    url: &str,
    request: reqwest::RequestBuilder,
) -> Result<Vec<u8>, DatabaseError> {
    let mut response = request.send().await.map_err(|error| failed(action, url, chain(&error)))?;
    let status = response.status();
    let mut text = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| failed(action, url, chain(&error)))? {
        if text.len() + piece.len() > ANSWER_LIMIT {
            return Err(failed(action, url, "the answer is too long".to_owned()));
        }
        text.extend_from_slice(&piece);
    }
    if status.is_success() {
        return Ok(text);
    }
    let said = String::from_utf8_lossy(&text[..text.len().min(300)]).trim().to_owned();
    Err(failed(action, url, format!("{status} {said}")))
}

fn failed(action: &'static str, place: &str, reason: String) -> DatabaseError {
    DatabaseError::Call { action, place: place.to_owned(), reason }
}

/// An error with all its causes: the outermost alone says only that a request failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
