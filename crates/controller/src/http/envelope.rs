//! What all answers have in common: headers, reason phrases, CORS, the check of the client's version.

use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::ext::ReasonPhrase;
use serde_json::json;
use tracing::error;

use deis_api::{API_VERSION, PLATFORM_VERSION};

use super::reply::{error_body, internal_error};

/// The API's major version, as clients may send it.
const MAJOR_VERSION: &str = "1";

/// Names with underscores: clients look for exactly these.
const VERSION_HEADERS: [(&str, &str); 4] = [
    ("deis_api_version", API_VERSION),
    ("x_deis_api_version", API_VERSION),
    ("deis_platform_version", PLATFORM_VERSION),
    ("x_deis_platform_version", PLATFORM_VERSION),
];

const CORS_HEADERS: [(HeaderName, &str); 2] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        "DEIS_API_VERSION, X_DEIS_API_VERSION, DEIS_PLATFORM_VERSION, X_DEIS_PLATFORM_VERSION, Deis-Release, X-Deis-Release",
    ),
];

const PREFLIGHT_HEADERS: [(HeaderName, &str); 3] = [
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, accept, origin, Authorization, Host"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
];

/// Answers with the headers that every answer carries, and a reason phrase in capitals.
pub(super) async fn wrap(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match version_mismatch(request.headers()) {
        _ if is_preflight => PREFLIGHT_HEADERS.into_response(),
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in VERSION_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    for (name, value) in CORS_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(phrase) = reason_phrase(response.status()) {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// Lets what changes something run to its end when the client goes away halfway.
pub(super) async fn finish_what_was_begun(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(panic) => {
            error!(error = %panic, "a request broke off");
            internal_error()
        }
    }
}

fn version_mismatch(headers: &HeaderMap) -> Option<Response> {
    let given = headers.get("deis_version").or_else(|| headers.get("deis-version"))?;
    let given = String::from_utf8_lossy(given.as_bytes());
    let text = format!(
        "Client and server versions do not match. Client version: {given} Server version: {MAJOR_VERSION}"
    );
    let refusal = || error_body(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": text}));
    (given != MAJOR_VERSION).then(refusal)
}

/// Clients print the phrase; theirs are in capitals.
fn reason_phrase(status: StatusCode) -> Option<ReasonPhrase> {
    let phrase = status.canonical_reason()?.to_ascii_uppercase();
    ReasonPhrase::try_from(phrase.into_bytes()).ok()
}
