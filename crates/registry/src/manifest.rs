//! Manifests: what an image is made of, found by tag or digest.

use crate::{
    body,
    digest::Digest,
    entry,
    error::RequestError,
    http::{Reply, text},
    layout, link,
    manifest_content::ManifestContent,
    repository::RepositoryName,
    state::State,
    tag::Reference,
    tags,
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{HeaderMap, HeaderName, StatusCode, header};

/// The largest manifest in bytes; the specification's recommendation.
pub(crate) const MANIFEST_LIMIT: u64 = 4 << 20;

/// How often a manifest is looked for whose entry goes while it is being read.
const READ_TRIES: usize = 3;

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// "Pulling manifests".
pub(crate) async fn get(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, RequestError> {
    let (digest, bytes) = find(state, name, reference).await?;
    Ok(describe(&digest, &bytes)?.body(bytes.into()))
}

/// "Checking if content exists in the registry". It stays for as long as a push takes: an index may be about to list
/// it.
pub(crate) async fn head(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, RequestError> {
    let (digest, bytes) = find(state, name, reference).await?;
    rely(state, name, &digest).await?;
    Ok(describe(&digest, &bytes)?.empty())
}

/// "Pushing manifests": takes one whose blobs and manifests the repository has.
pub(crate) async fn put(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, RequestError> {
    let bytes = body::read(body, MANIFEST_LIMIT, state.limits.idle).await?;
    let digest = Digest::of(&bytes);
    if let Reference::Digest(expected) = reference
        && *expected != digest
    {
        return Err(RequestError::DigestMismatch { expected: *expected, found: digest });
    }
    let content = ManifestContent::parse(&bytes, text(headers, header::CONTENT_TYPE));
    let content = content.map_err(|reason| RequestError::ManifestInvalid { reason })?;
    store(state, name, reference, &digest, bytes, &content).await?;
    let location = format!("/v2/{name}/manifests/{digest}");
    let reply = Reply::new(StatusCode::CREATED).header(header::LOCATION, location).digest(&digest);
    Ok(match content.subject {
        Some(subject) => reply.header(OCI_SUBJECT, subject).empty(),
        None => reply.empty(),
    })
}

/// "Deleting tags" and "Deleting manifests": a tag goes alone, a digest with all tags that stand for it.
pub(crate) async fn delete(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, RequestError> {
    match reference {
        Reference::Tag(tag) => {
            tags::read(state, name, tag).await?.ok_or_else(|| unknown(reference))?;
            entry::remove_all(&*state.store, &layout::tag(name, tag)).await?;
        }
        Reference::Digest(digest) => {
            let content = read_content(state, name, digest).await?.ok_or_else(|| unknown(reference))?;
            tags::delete_all(state, name, digest).await?;
            entry::remove_all(&*state.store, &layout::manifest(name, digest)).await?;
            delete_referrer(state, name, digest, &content).await?;
        }
    }
    Ok(Reply::new(StatusCode::ACCEPTED).empty())
}

/// What a stored manifest says; nothing when the repository does not have it.
pub(crate) async fn read_content(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<ManifestContent>, RequestError> {
    match read(state, name, digest).await? {
        Some(bytes) => Ok(Some(parse_stored(&bytes)?)),
        None => Ok(None),
    }
}

/// Takes a manifest that is gone from the list of what refers to its subject.
pub(crate) async fn delete_referrer(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    content: &ManifestContent,
) -> Result<(), RequestError> {
    if let Some(subject) = &content.subject {
        entry::remove_all(&*state.store, &layout::referrer(name, subject, digest)).await?;
    }
    Ok(())
}

/// The bytes of a manifest; nothing when the repository does not have it.
pub(crate) async fn read(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Bytes>, RequestError> {
    for _ in 0..READ_TRIES {
        let Some(last) = entry::last(&*state.store, &layout::manifest(name, digest)).await? else {
            return Ok(None);
        };
        match state.store.get_bytes(&last.meta.key, MANIFEST_LIMIT).await {
            Ok(bytes) => return Ok(Some(bytes)),
            // Another entry took its place, or the manifest is gone.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

/// The bytes of a manifest that somebody is about to build on: it stays for as long as a push may take.
async fn rely(state: &State, name: &RepositoryName, digest: &Digest) -> Result<Option<Bytes>, RequestError> {
    let folder = layout::manifest(name, digest);
    let entries = entry::all(&*state.store, &folder).await?;
    let Some(bytes) = read(state, name, digest).await? else {
        return Ok(None);
    };
    if !entries.last().is_some_and(|last| entry::is_fresh(&last.meta, state.limits.garbage_grace)) {
        entry::add(&*state.store, &folder, &entries, "", bytes.clone()).await?;
    }
    Ok(Some(bytes))
}

pub(crate) fn parse_stored(bytes: &[u8]) -> Result<ManifestContent, RequestError> {
    // Everything stored was checked when it came; this says so if the store's files were changed by hand.
    ManifestContent::parse(bytes, None).map_err(|reason| RequestError::ManifestInvalid { reason })
}

/// Writes what others may look for first last: the manifest, its place among the referrers, then the tag.
async fn store(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
    digest: &Digest,
    bytes: Bytes,
    content: &ManifestContent,
) -> Result<(), RequestError> {
    check_references(state, name, content).await?;
    let (store, noted) = (&*state.store, |error| state.noted(error));
    entry::add(store, &layout::manifest(name, digest), &[], "", bytes).await.map_err(noted)?;
    if let Some(subject) = &content.subject {
        let folder = layout::referrer(name, subject, digest);
        entry::add(store, &folder, &[], "", Bytes::new()).await.map_err(noted)?;
    }
    if let Reference::Tag(tag) = reference {
        tags::write(state, name, tag, digest).await.map_err(noted)?;
    }
    Ok(())
}

/// Checks that the repository has everything the manifest needs, also by way of manifests that it lists, and keeps it
/// from being removed until this one is written.
fn check_references<'a>(
    state: &'a State,
    name: &'a RepositoryName,
    content: &'a ManifestContent,
) -> BoxFuture<'a, Result<(), RequestError>> {
    async move {
        for digest in &content.blobs {
            let found = link::rely(state, name, digest).await?;
            found.ok_or(RequestError::ManifestBlobUnknown { digest: *digest })?;
        }
        for digest in &content.manifests {
            let found = rely(state, name, digest).await?;
            let found = found.ok_or(RequestError::ManifestBlobUnknown { digest: *digest })?;
            check_references(state, name, &parse_stored(&found)?).await?;
        }
        Ok(())
    }
    .boxed()
}

async fn find(
    state: &State,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<(Digest, Bytes), RequestError> {
    let digest = match reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => tags::read(state, name, tag).await?.ok_or_else(|| unknown(reference))?,
    };
    let bytes = read(state, name, &digest).await?.ok_or_else(|| unknown(reference))?;
    Ok((digest, bytes))
}

fn describe(digest: &Digest, bytes: &Bytes) -> Result<Reply, RequestError> {
    Ok(Reply::new(StatusCode::OK)
        .digest(digest)
        .header(header::CONTENT_TYPE, parse_stored(bytes)?.media_type)
        .header(header::CONTENT_LENGTH, bytes.len())
        .header(header::ETAG, format!("\"{digest}\"")))
}

fn unknown(reference: &Reference) -> RequestError {
    RequestError::ManifestUnknown { reference: reference.to_string() }
}
