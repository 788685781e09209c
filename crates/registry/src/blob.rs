//! Blobs: layers and configurations, found by their digest.

use crate::{
    digest::Digest,
    error::RequestError,
    freshness::refresh,
    http::{Reply, text},
    layout,
    range::{Part, part},
    repository::RepositoryName,
    state::State,
};
use axum::{body::Body, response::Response};
use deis_store::ObjectMeta;
use http::{HeaderMap, StatusCode, header};

/// "Pulling blobs", with ranges.
pub(crate) async fn get(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response, RequestError> {
    let size = find(state, name, digest).await?.size;
    let key = layout::blob(digest);
    match part(text(headers, header::RANGE), size) {
        Part::Whole => {
            let object = state.store.get(&key).await?;
            Ok(describe(Reply::new(StatusCode::OK), digest, size).body(Body::from_stream(object.content)))
        }
        Part::Bytes(range) => {
            let object = state.store.get_range(&key, range.clone()).await?;
            let shown = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let reply = Reply::new(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, shown);
            Ok(describe(reply, digest, range.end - range.start).body(Body::from_stream(object.content)))
        }
        Part::Outside => Err(RequestError::Range { size }),
    }
}

/// "Checking if content exists in the registry".
pub(crate) async fn head(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RequestError> {
    let meta = find(state, name, digest).await?;
    Ok(describe(Reply::new(StatusCode::OK), digest, meta.size).empty())
}

/// "Deleting blobs": the repository does not have it any more. Others may; garbage collection removes the bytes.
pub(crate) async fn delete(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RequestError> {
    let _removing = state.removal.write().await;
    let link = layout::blob_link(name, digest);
    if !state.exists(&link).await? {
        return Err(RequestError::BlobUnknown { digest: *digest });
    }
    state.store.delete(&link).await?;
    Ok(Reply::new(StatusCode::ACCEPTED).empty())
}

/// The facts about a blob that the repository has. It counts as young from now on.
async fn find(state: &State, name: &RepositoryName, digest: &Digest) -> Result<ObjectMeta, RequestError> {
    let _building = state.removal.read().await;
    has(state, name, digest).await?.ok_or(RequestError::BlobUnknown { digest: *digest })
}

/// The same with `state.removal` held by the caller; nothing when the repository has no such blob.
pub(crate) async fn has(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<ObjectMeta>, RequestError> {
    match refresh(state, &layout::blob_link(name, digest)).await? {
        Some(_) => Ok(refresh(state, &layout::blob(digest)).await?),
        None => Ok(None),
    }
}

fn describe(reply: Reply, digest: &Digest, length: u64) -> Reply {
    reply
        .digest(digest)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, format!("\"{digest}\""))
}
