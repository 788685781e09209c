//! Which path and method leads where.

use crate::{
    auth, blob, catalog, error::RequestError, garbage, manifest, referrers, state::State, tags,
    target::Target, upload,
};
use axum::{
    Router,
    body::Body,
    extract::{self, DefaultBodyLimit, Path, Query, Request},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, post},
};
use deis_runtime::{Allowed, Role, require_role};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tracing::debug;

/// Who asks for images: the engines of hosts by way of their publishers, builders, and the controller that tidies up.
const CALLERS: [Role; 3] = [Role::Publisher, Role::Builder, Role::Controller];

/// Tells clients that this is a registry of the second protocol; the Docker Engine looks for it.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// Names the content that an answer is about.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// All paths, behind the credentials.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v2", any(check))
        .route("/v2/", any(check))
        .route("/v2/{*path}", any(dispatch))
        .route("/internal/garbage", post(garbage::collect))
        .fallback(async || RequestError::Path)
        .method_not_allowed_fallback(async || RequestError::Method)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(state.clone(), auth::require))
        .layer(middleware::from_fn_with_state(Allowed::roles(CALLERS), require_role))
        .layer(middleware::from_fn(finish))
        .with_state(state)
}

/// What every answer has.
async fn finish(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    debug!(%method, path = uri.path(), status = response.status().as_u16(), "answered");
    response
}

/// "Determining Support": 200 says that the protocol is spoken and the credentials are right.
async fn check(method: Method) -> Result<Response, RequestError> {
    match method {
        Method::GET | Method::HEAD => Ok(axum::Json(serde_json::json!({})).into_response()),
        _ => Err(RequestError::Method),
    }
}

async fn dispatch(
    extract::State(state): extract::State<Arc<State>>,
    Path(path): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    let state = &*state;
    match (method, Target::parse(&path)?) {
        (Method::GET, Target::Catalog) => catalog::list(state, query(&uri)?).await,
        (Method::GET, Target::Tags(name)) => tags::list(state, &name, query(&uri)?).await,
        (Method::GET, Target::Referrers(name, subject)) => {
            referrers::list(state, &name, &subject, query(&uri)?).await
        }

        (Method::GET, Target::Manifest(name, reference)) => manifest::get(state, &name, &reference).await,
        (Method::HEAD, Target::Manifest(name, reference)) => manifest::head(state, &name, &reference).await,
        (Method::PUT, Target::Manifest(name, reference)) => {
            manifest::put(state, &name, &reference, &headers, body).await
        }
        (Method::DELETE, Target::Manifest(name, reference)) => {
            manifest::delete(state, &name, &reference).await
        }

        (Method::GET, Target::Blob(name, digest)) => blob::get(state, &name, &digest, &headers).await,
        (Method::HEAD, Target::Blob(name, digest)) => blob::head(state, &name, &digest).await,
        (Method::DELETE, Target::Blob(name, digest)) => blob::delete(state, &name, &digest).await,

        (Method::POST, Target::Uploads(name)) => upload::begin(state, &name, query(&uri)?, body).await,
        (Method::GET, Target::Upload(name, id)) => upload::status(state, &name, id).await,
        (Method::PATCH, Target::Upload(name, id)) => upload::append(state, &name, id, &headers, body).await,
        (Method::PUT, Target::Upload(name, id)) => {
            upload::finish(state, &name, id, query(&uri)?, &headers, body).await
        }
        (Method::DELETE, Target::Upload(name, id)) => upload::cancel(state, &name, id).await,
        _ => Err(RequestError::Method),
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, RequestError> {
    let parsed = Query::try_from_uri(uri).map(|Query(query)| query);
    parsed.map_err(|_| RequestError::Query { reason: "a parameter is missing, twice there or not UTF-8" })
}

/// A header's text; nothing when absent or not visible ASCII.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An answer under construction.
pub(crate) struct Reply(Response);

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self(status.into_response())
    }

    /// Adds a header whose value is a path, a number, a range, a media type or an id of ours.
    pub(crate) fn header(mut self, name: HeaderName, value: impl ToString) -> Self {
        let value =
            HeaderValue::try_from(value.to_string()).expect("values were parsed and are visible ASCII");
        self.0.headers_mut().insert(name, value);
        self
    }

    /// Names the content that the answer is about.
    pub(crate) fn digest(self, digest: &crate::digest::Digest) -> Self {
        self.header(CONTENT_DIGEST, digest)
    }

    pub(crate) fn body(mut self, body: Body) -> Response {
        *self.0.body_mut() = body;
        self.0
    }

    pub(crate) fn empty(self) -> Response {
        self.0
    }
}
