//! A client of the internal calls, used by components.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::internal::{
    AppList, EndpointReport, KeyOwner, LogBatch, ROUTES_HOLD_SECONDS, RoutesRequest, RoutesResponse,
};

/// Why a call to another component failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke.
    #[error("failed to reach {url}: {reason}")]
    Unreachable {
        /// Where to.
        url: String,
        /// The cause, down to the last.
        reason: String,
    },
    /// It answered, but refused.
    #[error("{url} answered {status}: {detail}")]
    Refused {
        /// Where to.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The answer's `detail`, or its body cut to 1,000 characters.
        detail: String,
    },
    /// It answered with something else than was agreed.
    #[error("failed to understand the answer of {url}: {reason}")]
    Garbled {
        /// Where to.
        url: String,
        /// What was wrong.
        reason: String,
    },
}

impl CallError {
    /// The status it was refused with, if it was.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Calls one component at one address. Cheap to clone.
#[derive(Clone)]
pub struct InternalClient {
    base: String,
    credential: Credential,
    http: reqwest::Client,
}

/// How a component shows that it is one.
#[derive(Clone)]
enum Credential {
    Key(String),
    Account { username: String, password: String },
}

impl InternalClient {
    /// A client of the component at `base` (`http://127.0.0.1:8000`, no trailing slash), authenticated by `key`.
    pub fn new(base: &str, key: &str) -> Self {
        Self::with(base, Credential::Key(key.to_owned()))
    }

    /// A client of the registry at `base`, which knows accounts and not the internal key.
    pub fn of_registry(base: &str, username: &str, password: &str) -> Self {
        let account = Credential::Account { username: username.to_owned(), password: password.to_owned() };
        Self::with(base, account)
    }

    fn with(base: &str, credential: Credential) -> Self {
        let http =
            reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).no_proxy().build().expect(
                "a client without certificates of its own always builds once a crypto provider is installed",
            );
        Self { base: base.trim_end_matches('/').to_owned(), credential, http }
    }

    /// Where it calls.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to `path` with the credential attached.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
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

    /// Reports what is routable on `host`.
    pub async fn report_endpoints(&self, host: &str, report: &EndpointReport) -> Result<(), CallError> {
        let path = format!("/internal/hosts/{}/endpoints", segment(host));
        self.send(self.request(Method::PUT, &path).json(report).timeout(Duration::from_secs(10)))
            .await
            .map(drop)
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

    /// Sends `request`; any status below 400 is success.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        match response.status() {
            status if status.as_u16() < 400 => Ok(response),
            status => Err(refused(status, response).await),
        }
    }

    /// Sends `request` and reads a JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let response = self.send(request).await?;
        let url = response.url().to_string();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|error| CallError::Garbled { url, reason: error.to_string() })
    }

    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        let url = error.url().map_or_else(|| self.base.clone(), ToString::to_string);
        CallError::Unreachable { url, reason: last_cause(error) }
    }
}

async fn refused(status: StatusCode, response: Response) -> CallError {
    let url = response.url().to_string();
    let body = response.text().await.unwrap_or_default();
    let detail = serde_json::from_str::<serde_json::Value>(&body)
        .ok()
        .and_then(|value| value.get("detail").and_then(|detail| detail.as_str()).map(str::to_owned));
    CallError::Refused { url, status, detail: detail.unwrap_or_else(|| body.chars().take(1000).collect()) }
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `text` as one segment of a path.
fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
