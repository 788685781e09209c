//! The tags of a repository.

use crate::{
    digest::Digest,
    entry::{self, Entry},
    error::RequestError,
    layout,
    page::{self, Page},
    repository::RepositoryName,
    state::State,
    tag::Tag,
};
use axum::response::Response;
use bytes::Bytes;
use deis_store::StoreError;
use futures::TryStreamExt;
use serde_json::json;
use std::collections::BTreeMap;

/// "Listing tags": in the order of their bytes.
pub(crate) async fn list(
    state: &State,
    name: &RepositoryName,
    query: Page,
) -> Result<Response, RequestError> {
    let length = query.length()?;
    let after = query.last.as_deref();
    let after = after.map(|last| Tag::parse(last).ok_or(RequestError::Query { reason: "last is no tag" }));
    let after = after.transpose()?;
    // As keys, `a-b/…` comes before `a/…`, but `a` before `a-b`: hence all of them.
    let found = all(state, name).await?;
    let wanted = found.keys().filter(|tag| after.as_ref().is_none_or(|after| *tag > after)).take(length + 1);
    let tags: Vec<_> = wanted.map(ToString::to_string).collect();
    if tags.is_empty() && !is_known(state, name).await? {
        return Err(RequestError::NameUnknown { name: name.to_string() });
    }
    let (tags, last) = page::cut(tags, length);
    let body = json!({ "name": name.to_string(), "tags": tags });
    Ok(page::answer(body, &format!("/v2/{name}/tags/list"), length, last.as_deref()))
}

/// What a tag stands for; nothing when there is no such tag. One call to the store.
pub(crate) async fn read(
    state: &State,
    name: &RepositoryName,
    tag: &Tag,
) -> Result<Option<Digest>, StoreError> {
    let last = entry::last(&*state.store, &layout::tag(name, tag)).await?;
    Ok(last.as_ref().and_then(digest_of))
}

/// Lets a tag stand for `digest` from now on.
pub(crate) async fn write(
    state: &State,
    name: &RepositoryName,
    tag: &Tag,
    digest: &Digest,
) -> Result<(), StoreError> {
    let (store, folder) = (&*state.store, layout::tag(name, tag));
    let before = entry::all(store, &folder).await?;
    entry::add(store, &folder, &before, &digest.hex(), Bytes::new()).await?;
    entry::remove(store, &before).await
}

/// All tags of a repository, and what their folders hold, which is never nothing.
pub(crate) async fn all(
    state: &State,
    name: &RepositoryName,
) -> Result<BTreeMap<Tag, Vec<Entry>>, StoreError> {
    let folders = entry::folders(&*state.store, &layout::tags(name)).await?;
    Ok(folders.into_iter().filter_map(|(tag, entries)| Some((Tag::parse(&tag)?, entries))).collect())
}

/// What the entry of a tag says.
pub(crate) fn digest_of(entry: &Entry) -> Option<Digest> {
    Digest::parse_hex(&entry.detail)
}

/// Removes the tags that stand for `digest`.
pub(crate) async fn delete_all(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<(), StoreError> {
    for entries in all(state, name).await?.values() {
        if entries.last().and_then(digest_of) == Some(*digest) {
            entry::remove(&*state.store, entries).await?;
        }
    }
    Ok(())
}

async fn is_known(state: &State, name: &RepositoryName) -> Result<bool, RequestError> {
    Ok(state.store.list(&layout::manifests(name), None).try_next().await?.is_some())
}
