//! Uploads: blobs that arrive in one request or in several, also across restarts.

use crate::{
    body::{Bounds, Incoming},
    digest::Digest,
    entry::{self, is_old},
    error::RequestError,
    hash::{Follower, RunningDigest, digest_of},
    http::{Reply, text},
    layout,
    link::{self, Link},
    repository::RepositoryName,
    stamp::Stamp,
    state::State,
    target::parse_digest,
};
use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use deis_store::{ByteStream, ObjectKey, StoreError};
use futures::TryStreamExt;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde::Deserialize;
use std::time::SystemTime;
use uuid::Uuid;

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// How a client wants to begin.
#[derive(Debug, Deserialize)]
pub(crate) struct Beginning {
    /// The whole blob comes with this request.
    digest: Option<String>,
    /// No bytes come if the repository `from` has this blob.
    mount: Option<String>,
    from: Option<String>,
}

/// How a client ends.
#[derive(Debug, Deserialize)]
pub(crate) struct Ending {
    digest: Option<String>,
}

/// One upload of one repository.
struct Upload<'a> {
    state: &'a State,
    name: &'a RepositoryName,
    id: Uuid,
    key: ObjectKey,
}

/// "Pushing blobs": begins an upload, takes a whole blob, or finds it in another repository.
pub(crate) async fn begin(
    state: &State,
    name: &RepositoryName,
    query: Beginning,
    body: Body,
) -> Result<Response, RequestError> {
    if let Some(digest) = mount(state, name, &query).await? {
        return Ok(created(name, &digest));
    }
    let digest = query.digest.as_deref().map(parse_digest).transpose()?;
    let upload = Upload::new(state, name, Uuid::new_v4());
    state.store.begin_upload(&upload.key).await.map_err(|error| state.noted(error))?;
    match digest {
        Some(digest) => upload.complete(&digest, 0, body).await,
        None => Ok(upload.describe(StatusCode::ACCEPTED, 0)),
    }
}

/// How much of an upload has arrived.
pub(crate) async fn status(state: &State, name: &RepositoryName, id: Uuid) -> Result<Response, RequestError> {
    let upload = Upload::new(state, name, id);
    Ok(upload.describe(StatusCode::NO_CONTENT, upload.size().await?))
}

/// "Pushing a blob in chunks": adds the body.
pub(crate) async fn append(
    state: &State,
    name: &RepositoryName,
    id: Uuid,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    let upload = Upload::new(state, name, id);
    let offset = upload.offset(headers).await?;
    let size = upload.receive(offset, body).await?;
    Ok(upload.describe(StatusCode::ACCEPTED, size))
}

/// Adds the body, which may be empty, and makes the upload a blob if it has the digest.
pub(crate) async fn finish(
    state: &State,
    name: &RepositoryName,
    id: Uuid,
    query: Ending,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    let upload = Upload::new(state, name, id);
    let digest = parse_digest(query.digest.as_deref().unwrap_or_default())?;
    let offset = upload.offset(headers).await?;
    upload.complete(&digest, offset, body).await
}

/// Forgets an upload.
pub(crate) async fn cancel(state: &State, name: &RepositoryName, id: Uuid) -> Result<Response, RequestError> {
    let upload = Upload::new(state, name, id);
    upload.size().await?;
    upload.forget().await?;
    Ok(Reply::new(StatusCode::NO_CONTENT).empty())
}

/// Forgets the uploads that nobody has added to for too long, and tells how many.
pub(crate) async fn expire(state: &State) -> Result<usize, StoreError> {
    let uploads: Vec<_> = state.store.list_uploads(layout::REPOSITORIES).try_collect().await?;
    let (now, mut expired) = (SystemTime::now(), 0);
    for upload in uploads.iter().filter(|meta| is_old(meta, now, state.limits.upload_expiry)) {
        state.store.cancel_upload(&upload.key).await?;
        if let Ok(id) = Uuid::try_parse(upload.key.last_segment()) {
            state.digests.forget(id);
        }
        expired += 1;
    }
    Ok(expired)
}

/// "Mounting a blob from another repository"; nothing when that one does not have it.
async fn mount(
    state: &State,
    name: &RepositoryName,
    query: &Beginning,
) -> Result<Option<Digest>, RequestError> {
    let (Some(digest), Some(from)) = (&query.mount, &query.from) else {
        return Ok(None);
    };
    let (Some(digest), Some(from)) = (Digest::parse(digest), RepositoryName::parse(from)) else {
        return Ok(None);
    };
    let Some(link) = link::find(state, &from, &digest).await? else {
        return Ok(None);
    };
    link::add(state, name, &digest, &link).await?;
    Ok(Some(digest))
}

impl<'a> Upload<'a> {
    fn new(state: &'a State, name: &'a RepositoryName, id: Uuid) -> Self {
        Self { state, name, id, key: layout::upload(name, id) }
    }

    fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.name, self.id)
    }

    async fn size(&self) -> Result<u64, RequestError> {
        let meta = self.state.store.head_upload(&self.key).await;
        meta.map(|meta| meta.size).map_err(|error| self.failed(error))
    }

    /// Where the body belongs: at the end, which the client may confirm by its `Content-Range`.
    async fn offset(&self, headers: &HeaderMap) -> Result<u64, RequestError> {
        let held = self.size().await?;
        let Some(range) = text(headers, header::CONTENT_RANGE) else {
            return Ok(held);
        };
        let (first, last) = content_range(range).ok_or(RequestError::UploadRange)?;
        if first != held {
            return Err(RequestError::UploadOffset { held, location: self.location() });
        }
        let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        match length.is_none_or(|length| length == last - first + 1) {
            true => Ok(held),
            false => Err(RequestError::UploadRange),
        }
    }

    /// Adds the body, and remembers the digest of everything so far.
    async fn receive(&self, offset: u64, body: Body) -> Result<u64, RequestError> {
        let _permit = self.state.writers.acquire().await.expect("the semaphore is never closed");
        let limits = &self.state.limits;
        let incoming = Incoming::new(body, Bounds { limit: limits.blob_bytes, offset, idle: limits.idle });
        let (content, follower) = self.follow(offset, incoming.stream());
        let size = match self.state.store.append_upload(&self.key, offset, content).await {
            Ok(size) => size,
            Err(error) => {
                let refused = self.given_up(error).await;
                incoming.discard().await;
                return Err(refused);
            }
        };
        if let Some(digest) = follower.map(|follower| follower.digest()).filter(|digest| digest.size == size)
        {
            self.state.digests.keep(self.id, digest);
        }
        Ok(size)
    }

    /// Computes the digest on the way, unless bytes before `offset` arrived unseen, before a restart.
    fn follow(&self, offset: u64, content: ByteStream) -> (ByteStream, Option<Follower>) {
        let fresh = (offset == 0).then(RunningDigest::default);
        match self.state.digests.take(self.id, offset).or(fresh).map(Follower::new) {
            Some(follower) => (follower.follow(content), Some(follower)),
            None => (content, None),
        }
    }

    /// Adds the rest and makes the upload the blob `expected`.
    async fn complete(&self, expected: &Digest, offset: u64, rest: Body) -> Result<Response, RequestError> {
        let size = if rest.is_end_stream() { offset } else { self.receive(offset, rest).await? };
        let digest = match self.state.digests.take(self.id, size) {
            Some(digest) => digest,
            None => self.read_digest().await?,
        };
        let size = digest.size;
        let found = digest.finish();
        if found != *expected {
            self.forget().await?;
            return Err(RequestError::DigestMismatch { expected: *expected, found });
        }
        self.publish(expected, size).await
    }

    async fn read_digest(&self) -> Result<RunningDigest, RequestError> {
        let object = self.state.store.get_upload(&self.key).await.map_err(|error| self.failed(error))?;
        Ok(digest_of(object.content).await?)
    }

    async fn publish(&self, digest: &Digest, size: u64) -> Result<Response, RequestError> {
        let link = self.keep(digest, size).await.map_err(|error| self.failed(error))?;
        let added = link::add(self.state, self.name, digest, &link).await;
        added.map_err(|error| self.failed(error))?;
        self.state.status.well("store");
        Ok(created(self.name, digest))
    }

    /// Makes the upload a blob, unless the store has its bytes already.
    ///
    /// One that was found unused is about to go, so it is not built on.
    async fn keep(&self, digest: &Digest, size: u64) -> Result<Link, StoreError> {
        let store = &*self.state.store;
        let folder = layout::blob(digest);
        let held = entry::all(store, &folder).await?;
        if let Some(last) = held.last().filter(|last| last.detail.is_empty()) {
            store.cancel_upload(&self.key).await?;
            return Ok(Link::to(last.stamp.clone(), size));
        }
        let stamp = Stamp::behind(held.last().map(|last| &last.stamp));
        store.finish_upload(&self.key, size, &layout::object(&folder, &stamp.to_string())).await?;
        Ok(Link::to(stamp, size))
    }

    async fn forget(&self) -> Result<(), RequestError> {
        self.state.digests.forget(self.id);
        Ok(self.state.store.cancel_upload(&self.key).await?)
    }

    /// The answer to a failed write.
    ///
    /// On a full disk the upload goes: clients begin again from the start, and what they left would keep it full.
    async fn given_up(&self, error: StoreError) -> RequestError {
        if matches!(error, StoreError::NoSpace { .. })
            && let Err(failure) = self.forget().await
        {
            tracing::warn!(
                error = &failure as &dyn std::error::Error,
                "failed to remove an upload from a full store"
            );
        }
        self.failed(error)
    }

    fn failed(&self, error: StoreError) -> RequestError {
        match error {
            StoreError::NotFound { .. } => RequestError::UploadUnknown,
            StoreError::UploadLength { held, .. } => {
                RequestError::UploadOffset { held, location: self.location() }
            }
            other => self.state.noted(other),
        }
    }

    fn describe(&self, status: StatusCode, size: u64) -> Response {
        Reply::new(status)
            .header(header::LOCATION, self.location())
            .header(header::RANGE, progress(size))
            .header(header::CONTENT_LENGTH, 0)
            .header(UPLOAD_ID, self.id)
            .empty()
    }
}

/// The `Range` of an upload that has `size` bytes. An empty one looks like one of one byte: the specification's way.
pub(crate) fn progress(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

/// Reads `<first>-<last>`, which is not quite HTTP's `Content-Range`.
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-')?;
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1 && range.1 < u64::MAX).then_some(range)
}

fn created(name: &RepositoryName, digest: &Digest) -> Response {
    Reply::new(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{name}/blobs/{digest}"))
        .header(header::CONTENT_LENGTH, 0)
        .digest(digest)
        .empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_two_numbers() {
        assert_eq!(content_range("0-0"), Some((0, 0)));
        assert_eq!(content_range("5-9"), Some((5, 9)));
        for wrong in ["", "5", "9-5", "a-b", "-1", "0-18446744073709551615", "bytes 0-1/2"] {
            assert_eq!(content_range(wrong), None, "{wrong:?}");
        }
    }
}
