//! What a client is told when its request fails.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use deis_store::StoreError;
use http::{HeaderValue, StatusCode, header};
use hyper::ext::ReasonPhrase;
use serde_json::json;
use std::io;
use tracing::error;

use crate::digest::Digest;

/// When a client may ask again whose request came while the store was away.
const RETRY_SECONDS: &str = "5";

/// Why a request was not done. Answered as the specification's error JSON.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("log in with the name and password of the registry")]
    Unauthorized,
    #[error("no such path")]
    Path,
    #[error("this path does not take this method")]
    Method,
    #[error("{name:?} is no repository name")]
    Name { name: String },
    #[error("no repository {name}")]
    NameUnknown { name: String },
    #[error("{digest:?} is no digest: give sha256: and 64 lower-case hex digits")]
    Digest { digest: String },
    #[error("the content has the digest {found}, not {expected}")]
    DigestMismatch { expected: Digest, found: Digest },
    #[error("no blob {digest} in this repository")]
    BlobUnknown { digest: Digest },
    #[error("no manifest {reference}")]
    ManifestUnknown { reference: String },
    #[error("the manifest is not valid: {reason}")]
    ManifestInvalid { reason: String },
    #[error("the manifest names {digest}, which this repository does not have: push it first")]
    ManifestBlobUnknown { digest: Digest },
    #[error("the content is longer than the {limit} bytes allowed")]
    TooLarge { limit: u64 },
    #[error("no such upload: it is finished, cancelled or expired; begin again")]
    UploadUnknown,
    #[error("the upload has {held} bytes: go on from there")]
    UploadOffset { held: u64, location: String },
    #[error("another request writes to this upload")]
    UploadBusy,
    #[error("the content range does not fit the content")]
    UploadRange,
    #[error("the blob has {size} bytes, the range begins behind them")]
    Range { size: u64 },
    #[error("the query is not valid: {reason}")]
    Query { reason: &'static str },
    #[error("failed to receive the request's body")]
    Body(#[source] io::Error),
    #[error("the registry's store failed")]
    Store(#[source] StoreError),
}

impl RequestError {
    /// The status, and the code as in "Error Codes" of the OCI Distribution Specification 1.1.
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Self::Path => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
            Self::Name { .. } => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::NameUnknown { .. } => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::Digest { .. } | Self::DigestMismatch { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            Self::BlobUnknown { .. } => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::ManifestUnknown { .. } => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestInvalid { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
            Self::ManifestBlobUnknown { .. } => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
            Self::UploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::UploadOffset { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::UploadBusy => (StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID"),
            Self::UploadRange => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID"),
            Self::Query { .. } => (StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID"),
            Self::Body(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::Store(StoreError::NoSpace { .. }) => (StatusCode::INSUFFICIENT_STORAGE, "STORAGE_FULL"),
            Self::Store(error) if error.is_unavailable() => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            Self::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        }
    }

    /// What the client is told. A store that is full or away is named, because the one who pushes can tell the operator.
    fn message(&self) -> String {
        match self {
            Self::Store(StoreError::NoSpace { .. }) => {
                "no space left in the registry's store; ask the operator to free some".to_owned()
            }
            Self::Store(error) if error.is_unavailable() => error.to_string(),
            other => other.to_string(),
        }
    }

    fn headers(&self, response: &mut Response) {
        let mut set = |name, text: &str| {
            let value = HeaderValue::from_str(text).expect("names, ids and numbers are visible ASCII");
            response.headers_mut().insert(name, value);
        };
        match self {
            Self::Unauthorized => set(header::WWW_AUTHENTICATE, "Basic realm=\"deis\""),
            Self::Range { size } => set(header::CONTENT_RANGE, &format!("bytes */{size}")),
            Self::UploadOffset { held, location } => {
                set(header::LOCATION, location);
                set(header::RANGE, &crate::upload::progress(*held));
            }
            Self::Store(error) if error.is_unavailable() => set(header::RETRY_AFTER, RETRY_SECONDS),
            _ => {}
        }
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Content { source, .. } => Self::from(source),
            StoreError::UploadBusy { .. } => Self::UploadBusy,
            other => Self::Store(other),
        }
    }
}

/// A request's body ended early, or was ended because it is too long.
impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> Self {
        let limit = error.get_ref().and_then(|source| source.downcast_ref::<crate::body::TooLong>());
        match limit {
            Some(too_long) => Self::TooLarge { limit: too_long.limit },
            None => Self::Body(error),
        }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        if status.is_server_error() {
            error!(error = &self as &dyn std::error::Error, "request failed");
        }
        let body = json!({ "errors": [{ "code": code, "message": self.message() }] });
        let mut response = (status, Json(body)).into_response();
        self.headers(&mut response);
        // The Docker Engine reads no body of a 5xx, but shows this; and it knows that to try again is no use by the very
        // words of the first.
        let reason = match status {
            StatusCode::INSUFFICIENT_STORAGE => {
                ReasonPhrase::from_static(b"no space left on device of the registry")
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                ReasonPhrase::from_static(b"the store of the registry does not answer")
            }
            _ => return response,
        };
        response.extensions_mut().insert(reason);
        response
    }
}
