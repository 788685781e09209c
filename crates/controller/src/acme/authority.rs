//! Calls of a certificate authority, over HTTPS.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer is read: certificates and their chains take a few kilobytes.
const MAX_ANSWER: usize = 1 << 20;
/// The longest time that an authority is believed to want to be left alone.
const MAX_RETRY: time::Duration = time::Duration::days(8);

/// Calls it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Authority {
    http: reqwest::Client,
    wait: Arc<Mutex<Option<OffsetDateTime>>>,
}

/// Why an authority cannot be called, or what it answered that no ACME server does.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthorityError {
    #[error("failed to read acme/caCertificates: {0}")]
    Certificates(reqwest::Error),
    #[error("failed to prepare calls of the certificate authority: {0}")]
    Client(reqwest::Error),
    #[error("the certificate authority answered {0}")]
    Status(StatusCode),
    #[error("the certificate authority answered with more than {MAX_ANSWER} bytes")]
    Long,
}

impl Authority {
    /// One whose own certificate the system trusts, or one of `certificates`, in PEM, vouches for.
    pub(super) fn new(certificates: Option<&str>) -> Result<Self, AuthorityError> {
        let roots = certificates.map(|pem| reqwest::Certificate::from_pem_bundle(pem.as_bytes()));
        let roots = roots.transpose().map_err(AuthorityError::Certificates)?.unwrap_or_default();
        let client = reqwest::Client::builder()
            .https_only(true)
            .user_agent(concat!("deis/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .tls_certs_merge(roots);
        let http = client.build().map_err(AuthorityError::Client)?;
        Ok(Self { http, wait: Arc::default() })
    }

    /// Until when it wants to be left alone, by its last refusal.
    pub(super) fn wait(&self) -> Option<OffsetDateTime> {
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await;
        let call = self.http.request(parts.method, parts.uri.to_string()).headers(parts.headers);
        let answer = call.body(body.to_bytes()).send().await.map_err(other)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            let wait = retry_after(&headers, OffsetDateTime::now_utc());
            *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = wait;
        }
        // A proxy before the authority, or whatever else answers there, does not speak its language.
        let is_json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
        if status.is_server_error() && !is_json {
            return Err(other(AuthorityError::Status(status)));
        }
        let mut response = http::Response::new(http_body_util::Full::new(read(answer).await?));
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        Ok(response.into())
    }
}

impl HttpClient for Authority {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().call(request))
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Bytes, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(other)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER {
            return Err(other(AuthorityError::Long));
        }
    }
    Ok(body.into())
}

/// The end of the time for which the sender does not want to be asked. Source: RFC 9110 section 10.2.3.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = value.parse::<u32>().ok().map(|seconds| now + time::Duration::seconds(seconds.into()));
    let date = || OffsetDateTime::parse(&value.replace("GMT", "+0000"), &Rfc2822).ok();
    seconds.or_else(date).map(|end| end.min(now + MAX_RETRY))
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, seconds: Option<i64>) {
        let now = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        let found = retry_after(&headers, now).map(|end| (end - now).whole_seconds());
        assert_eq!(found, seconds, "{value}");
    }

    #[test]
    fn an_authority_says_in_two_ways_how_long_it_wants_to_be_left_alone() {
        check("120", Some(120));
        check("Fri, 15 Jan 2027 08:00:10 GMT", Some(10));
        check("4294967295", Some(8 * 24 * 3600));
        check("soon", None);
        check("-1", None);
    }
}
