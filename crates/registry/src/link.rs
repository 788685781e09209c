//! That a repository has a blob, how long that is, and which copy of its bytes it is.

use crate::{
    digest::Digest,
    entry::{self, Entry},
    layout,
    repository::RepositoryName,
    stamp::Stamp,
    state::State,
};
use bytes::Bytes;
use deis_store::{ObjectKey, StoreError};

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The length of the blob in bytes.
    pub(crate) size: u64,
    /// Which copy of its bytes.
    pub(crate) blob: Stamp,
}

impl Link {
    /// To a blob that the store has.
    pub(crate) fn to(blob: Stamp, size: u64) -> Self {
        Self { size, blob }
    }

    /// What an entry of a repository's folder says.
    pub(crate) fn parse(entry: &Entry) -> Option<Self> {
        let (size, blob) = entry.detail.split_once('.')?;
        Some(Self { size: size.parse().ok()?, blob: Stamp::parse(blob)? })
    }

    /// Where the bytes are.
    pub(crate) fn key(&self, digest: &Digest) -> ObjectKey {
        layout::object(&layout::blob(digest), &self.blob.to_string())
    }
}

/// What the repository has of that digest; nothing when it has no such blob. One call to the store.
pub(crate) async fn find(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Link>, StoreError> {
    let found = entry::last(&*state.store, &layout::blob_link(name, digest)).await?;
    Ok(found.as_ref().and_then(Link::parse))
}

/// The same, for somebody who is about to build on it: it stays for as long as a push may take.
pub(crate) async fn rely(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Link>, StoreError> {
    let entries = entry::all(&*state.store, &layout::blob_link(name, digest)).await?;
    let Some((last, link)) = entries.last().and_then(|last| Some((last, Link::parse(last)?))) else {
        return Ok(None);
    };
    if !entry::is_fresh(&last.meta, state.limits.garbage_grace) {
        add_behind(state, name, digest, &link, &entries).await?;
    }
    Ok(Some(link))
}

/// Makes the blob, which the store has, part of the repository.
pub(crate) async fn add(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    link: &Link,
) -> Result<(), StoreError> {
    let before = entry::all(&*state.store, &layout::blob_link(name, digest)).await?;
    add_behind(state, name, digest, link, &before).await
}

async fn add_behind(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
    link: &Link,
    before: &[Entry],
) -> Result<(), StoreError> {
    let detail = format!("{}.{}", link.size, link.blob);
    entry::add(&*state.store, &layout::blob_link(name, digest), before, &detail, Bytes::new()).await?;
    entry::remove(&*state.store, before).await
}
