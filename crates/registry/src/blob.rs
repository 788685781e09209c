//! Blobs: layers and configurations, found by their digest.

use crate::{
    digest::Digest,
    entry,
    error::RequestError,
    http::{Reply, text},
    layout,
    link::{self, Link},
    range::{Part, part},
    repository::RepositoryName,
    state::State,
};
use axum::{body::Body, response::Response};
use http::{HeaderMap, StatusCode, header};

/// "Pulling blobs", with ranges.
pub(crate) async fn get(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    headers: &HeaderMap,
) -> Result<Response, RequestError> {
    let link = expect(link::find(state, name, digest).await?, digest)?;
    let (size, key) = (link.size, link.key(digest));
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

/// "Checking if content exists in the registry". Whoever hears that it does may count on it for as long as a push
/// takes.
pub(crate) async fn head(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RequestError> {
    let link = expect(link::rely(state, name, digest).await?, digest)?;
    Ok(describe(Reply::new(StatusCode::OK), digest, link.size).empty())
}

/// "Deleting blobs": the repository does not have it any more. Others may; garbage collection removes the bytes.
pub(crate) async fn delete(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RequestError> {
    expect(link::find(state, name, digest).await?, digest)?;
    entry::remove_all(&*state.store, &layout::blob_link(name, digest)).await?;
    Ok(Reply::new(StatusCode::ACCEPTED).empty())
}

fn expect(link: Option<Link>, digest: &Digest) -> Result<Link, RequestError> {
    link.ok_or(RequestError::BlobUnknown { digest: *digest })
}

fn describe(reply: Reply, digest: &Digest, length: u64) -> Reply {
    reply
        .digest(digest)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, format!("\"{digest}\""))
}
