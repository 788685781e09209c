//! Calls to the controller.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

use deis_api::{API_VERSION, PLATFORM_VERSION};

use crate::api_error::ApiError;

/// How long a call may take: deploys and commands take up to 20 minutes.
const CALL_TIMEOUT: Duration = Duration::from_secs(25 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A peer that vanished without a word is noticed within about a minute.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@').remove(b'*');

/// Calls one controller as one user.
pub(crate) struct Client {
    base: String,
    logged_in: bool,
    http: reqwest::Client,
}

/// A page of a list, for people and for programs.
pub(crate) struct Listing {
    /// How many there are in all.
    pub(crate) total: u64,
    /// This page.
    pub(crate) results: Value,
}

impl Listing {
    /// The items of this page.
    pub(crate) fn items<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        serde_json::from_value(self.results).context("failed to understand the controller's list")
    }
}

impl Client {
    /// A client of the controller at `base`, which has no slash at its end; `token` may be empty.
    pub(crate) fn new(base: &str, token: &str, ssl_verify: bool) -> Result<Self> {
        let url = Url::parse(base).with_context(|| format!("{base:?} is not the address of a controller"))?;
        let mut builder = reqwest::Client::builder()
            .user_agent(format!("Deis Client v{PLATFORM_VERSION}"))
            .default_headers(headers(token)?)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEPALIVE)
            .pool_max_idle_per_host(0)
            .redirect(Policy::none())
            .tls_danger_accept_invalid_certs(!ssl_verify);
        match url.host() {
            // Names below .localhost are this machine by definition, whatever a name server says.
            Some(Host::Domain(name)) if is_localhost(name) => {
                builder = builder.resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).no_proxy();
            }
            Some(Host::Ipv4(address)) if address.is_loopback() => builder = builder.no_proxy(),
            _ => {}
        }
        let http = builder.build().context("failed to prepare calls")?;
        Ok(Self { base: base.to_owned(), logged_in: !token.is_empty(), http })
    }

    /// Sends a GET without body and gives the answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Response> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Reads JSON.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        parse(self.get(path).await?).await
    }

    /// Reads a list, at most `limit` items.
    pub(crate) async fn list(&self, path: &str, limit: i64) -> Result<Listing> {
        let mut page: Value = self.read(&format!("{path}?page_size={limit}")).await?;
        let total = page["count"].as_u64().context("the controller's list has no count")?;
        let results = page["results"].take();
        if !results.is_array() {
            bail!("the controller's list has no results");
        }
        Ok(Listing { total, results })
    }

    /// Sends a POST with `body`; null sends none.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Response> {
        self.send(with_body(self.request(Method::POST, path), body)).await
    }

    /// Sends a POST with `body` and reads JSON.
    pub(crate) async fn create<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        parse(self.post(path, body).await?).await
    }

    /// Sends a DELETE with `body`; null sends none.
    pub(crate) async fn delete(&self, path: &str, body: &Value) -> Result<()> {
        self.send(with_body(self.request(Method::DELETE, path), body)).await.map(drop)
    }

    /// Sends a GET for an answer that may never end.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response> {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Makes sure that a controller is there: without a token, `/v1/` answers 401.
    pub(crate) async fn check_controller(&self) -> Result<()> {
        let response =
            self.request(Method::GET, "/v1/").send().await.map_err(|error| self.unreachable(&error))?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(());
        }
        bail!(
            "{} does not appear to be a valid Deis controller.\n\
             It answered {} where a controller asks for a login.\n\
             Check the address: it is usually http://deis.<domain of the platform>.",
            self.base,
            response.status()
        )
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).timeout(CALL_TIMEOUT)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_redirection() {
            let target = response
                .headers()
                .get("location")
                .and_then(|value| value.to_str().ok())
                .unwrap_or("elsewhere");
            bail!("{} leads to {target}: log in again with that address", self.base);
        }
        if status.is_client_error() || status.is_server_error() {
            let body = response.text().await.unwrap_or_default();
            return Err(self.refused(status, &body).into());
        }
        check_version(response.headers());
        Ok(response)
    }

    fn refused(&self, status: StatusCode, body: &str) -> ApiError {
        let error = ApiError::new(status, body);
        match status == StatusCode::UNAUTHORIZED && self.logged_in {
            true => error.with_advice(format!("Log in again with 'deis login {}'.", self.base)),
            false => error,
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let cause = last_cause(error);
        let cure = match (error.is_timeout(), error.is_connect()) {
            (false, true) => "Check the address, and that the platform runs and is reachable from here.",
            (true, _) => {
                "It took too long; look with 'deis ps' or 'deis releases' whether it happened all the same."
            }
            _ => {
                "The connection broke; look with 'deis ps' or 'deis releases' whether it happened all the same."
            }
        };
        anyhow!("failed to reach the controller at {}: {cause}\n{cure}", self.base)
    }
}

/// `text` as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Whether `host` is this machine by name.
pub(crate) fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn headers(token: &str) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !token.is_empty() {
        let mut value =
            HeaderValue::from_str(&format!("token {token}")).context("the stored token is damaged")?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

fn with_body(request: RequestBuilder, body: &Value) -> RequestBuilder {
    match body {
        Value::Null => request,
        body => request.body(body.to_string()),
    }
}

async fn parse<T: DeserializeOwned>(response: Response) -> Result<T> {
    let body = response.bytes().await.context("failed to read the controller's answer")?;
    serde_json::from_slice(&body).context("failed to understand the controller's answer")
}

/// On standard error, unlike the original: what `--json` prints stays readable for programs.
fn check_version(headers: &HeaderMap) {
    let server = headers.get("DEIS_API_VERSION").and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    if server != API_VERSION {
        eprintln!(
            "!    WARNING: Client and server API versions do not match. Please consider upgrading.\n\
             !    Client version: {API_VERSION}\n\
             !    Server version: {server}"
        );
    }
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_within_their_segment() {
        assert_eq!(segment("ann@laptop.local"), "ann@laptop.local");
        assert_eq!(segment("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!(segment("*.example.com"), "*.example.com");
        assert_eq!(segment("a b"), "a%20b");
    }

    #[test]
    fn localhost_is_a_whole_name() {
        assert!(is_localhost("localhost") && is_localhost("deis.localhost"));
        assert!(!is_localhost("notlocalhost") && !is_localhost("localhost.example.com"));
    }
}
