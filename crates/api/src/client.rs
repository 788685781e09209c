//! A client of the internal calls, used by components.

mod connection;
mod delivery;
mod error;
mod peers;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::internal::{
    AppList, CopyChange, EndpointReport, KeyOwner, LogBatch, ROUTES_HOLD_SECONDS, RepositoryCopy,
    RoutesRequest, RoutesResponse,
};

pub use connection::Connection;
pub use delivery::LEADER;
pub use error::CallError;
pub use peers::Peers;

use delivery::Delivery;

/// A connection is given up after so long a silence, so many questions at such intervals: its other end has gone
/// without a word, as when a host is lost.
const SILENCE: Duration = Duration::from_secs(2);
const QUESTIONS: u32 = 3;
const INTERVAL: Duration = Duration::from_secs(1);

/// The same for what was sent and is not taken in. Not at a registry, which may take its time with a large blob.
const UNTAKEN: Duration = Duration::from_secs(5);

/// How long a report may take: less than it counts, so that another controller still hears of it in time.
const REPORT: Duration = Duration::from_secs(3);

/// Calls one component, which may be in several places. Cheap to clone; clones share which place works.
#[derive(Clone)]
pub struct InternalClient {
    peers: Peers,
    credential: Credential,
    http: reqwest::Client,
}

/// How a component shows that it is one. No `Debug`: it is never printed.
#[derive(Clone)]
pub enum Credential {
    /// The internal key.
    Key(String),
    /// An account of the registry, which does not know the internal key.
    Account {
        /// Its name.
        username: String,
        /// Its password.
        password: String,
    },
}

impl InternalClient {
    /// A client of the component at `base` (`http://127.0.0.1:8000`, no trailing slash), authenticated by `key`.
    pub fn new(base: &str, key: &str) -> Self {
        Self::over(Peers::only(base), Credential::Key(key.to_owned()))
    }

    /// A client of the registry at `base`.
    pub fn of_registry(base: &str, username: &str, password: &str) -> Self {
        let account = Credential::Account { username: username.to_owned(), password: password.to_owned() };
        Self::over(Peers::only(base), account)
    }

    /// A client of whichever of `peers` answers. Over TLS it works with no crypto provider installed.
    pub fn over(peers: Peers, credential: Credential) -> Self {
        let builder = reqwest::Client::builder()
            .connect_timeout(peers.patience())
            .tcp_keepalive(SILENCE)
            .tcp_keepalive_interval(INTERVAL)
            .tcp_keepalive_retries(QUESTIONS)
            .tcp_user_timeout(matches!(credential, Credential::Key(_)).then_some(UNTAKEN))
            .no_proxy();
        let builder = match peers.tls() {
            Some(tls) => builder.tls_backend_preconfigured(rustls::ClientConfig::clone(tls)),
            None => builder,
        };
        let http = builder.build().expect(
            "a client without certificates of its own always builds once a crypto provider is installed",
        );
        Self { peers, credential, http }
    }

    /// Where it calls: the address that worked last, as base URL.
    pub fn base(&self) -> &str {
        self.peers.base(self.peers.current())
    }

    /// A request to `path` with the credential attached; [`InternalClient::send`] it, as it may have to go elsewhere.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base()));
        match &self.credential {
            Credential::Key(key) => request.bearer_auth(key).header("X-Deis-Builder-Auth", key),
            Credential::Account { username, password } => request.basic_auth(username, Some(password)),
        }
    }

    /// Asks the controller for routes newer than the request's; held by it while there are none.
    pub async fn routes(&self, request: &RoutesRequest) -> Result<RoutesResponse, CallError> {
        let hold = Duration::from_secs(ROUTES_HOLD_SECONDS + 10);
        self.json(self.request(Method::POST, "/internal/routes").json(request).timeout(hold)).await
    }

    /// Reports what is routable on `host`. False if the controller wants all endpoints, of which it got a revision only.
    pub async fn report_endpoints(&self, host: &str, report: &EndpointReport) -> Result<bool, CallError> {
        let path = format!("/internal/hosts/{}/endpoints", segment(host));
        match self.send(self.request(Method::PUT, &path).json(report).timeout(REPORT)).await {
            Err(CallError::Refused { status: StatusCode::CONFLICT, .. }) => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    /// Whose key has this MD5 fingerprint; none if nobody's.
    pub async fn key_owner(&self, fingerprint: &str) -> Result<Option<KeyOwner>, CallError> {
        let path = format!("/internal/keys/{}", segment(fingerprint));
        let request = self.request(Method::GET, &path).timeout(Duration::from_secs(10));
        match self.json(request).await {
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The apps that exist.
    pub async fn apps(&self) -> Result<AppList, CallError> {
        self.json(self.request(Method::GET, "/internal/apps").timeout(Duration::from_secs(10))).await
    }

    /// The copy that counts of the repository of the app of this UUID; none before the first push.
    pub async fn repository_copy(&self, app: &str) -> Result<Option<String>, CallError> {
        let path = format!("/internal/repositories/{}", segment(app));
        let found: RepositoryCopy =
            self.json(self.request(Method::GET, &path).timeout(Duration::from_secs(10))).await?;
        Ok(found.copy)
    }

    /// Makes another copy the one that counts; false if it is not made from the one that does by now. May be repeated.
    pub async fn replace_repository_copy(&self, app: &str, change: &CopyChange) -> Result<bool, CallError> {
        let path = format!("/internal/repositories/{}", segment(app));
        let request = self.request(Method::PUT, &path).json(change);
        match self.send(request.timeout(Duration::from_secs(10))).await {
            Err(CallError::Refused { status: StatusCode::CONFLICT, .. }) => Ok(false),
            answer => answer.map(|_| true),
        }
    }

    /// Hands records to the logger; returns when they are on its disk.
    pub async fn ship_logs(&self, batch: &LogBatch) -> Result<(), CallError> {
        let request = self.request(Method::POST, "/internal/logs").json(batch);
        self.send(request.timeout(Duration::from_secs(30))).await.map(drop)
    }

    /// Posts `body` to `path` and reads a JSON answer, waiting up to `timeout`.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        timeout: Duration,
    ) -> Result<T, CallError> {
        self.json(self.request(Method::POST, path).json(body).timeout(timeout)).await
    }

    /// The answer to `request` whatever its status, from the address that worked last, or from others as far as that
    /// does no harm.
    pub async fn answer(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let request = request.build().map_err(|error| CallError::unreachable(&error, self.base()))?;
        Delivery::new(&self.http, &self.peers).deliver(request).await
    }

    /// As [`InternalClient::answer`]; any status below 400 is success.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let response = self.answer(request).await?;
        if response.status().as_u16() < 400 { Ok(response) } else { Err(CallError::refused(response).await) }
    }

    /// Sends `request` and reads a JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let response = self.send(request).await?;
        let url = response.url().to_string();
        let body = response.bytes().await.map_err(|error| CallError::unreachable(&error, self.base()))?;
        serde_json::from_slice(&body).map_err(|error| CallError::Garbled { url, reason: error.to_string() })
    }
}

/// `text` as one segment of a path.
fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
