//! The tags of a repository.

use crate::{
    digest::Digest,
    error::RequestError,
    layout,
    page::{self, Page},
    repository::RepositoryName,
    state::State,
    tag::Tag,
};
use axum::response::Response;
use deis_store::ObjectMeta;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

/// The bytes of a digest in text, and some to spare.
const TAG_FILE_LIMIT: u64 = 256;

/// "Listing tags": in the order of their bytes.
pub(crate) async fn list(
    state: &State,
    name: &RepositoryName,
    query: Page,
) -> Result<Response, RequestError> {
    let length = query.length()?;
    let after = query
        .last
        .as_deref()
        .map(|last| Tag::parse(last).ok_or(RequestError::Query { reason: "last is no tag" }));
    let after = after.transpose()?.map(|tag| layout::tag(name, &tag));
    let found = state.store.list(&layout::tags(name), after.as_ref()).take(length + 1);
    let tags: Vec<_> = found.map_ok(|meta| meta.key.last_segment().to_owned()).try_collect().await?;
    if tags.is_empty() && !is_known(state, name).await? {
        return Err(RequestError::NameUnknown { name: name.to_string() });
    }
    let (tags, last) = page::cut(tags, length);
    let body = json!({ "name": name.to_string(), "tags": tags });
    Ok(page::answer(body, &format!("/v2/{name}/tags/list"), length, last.as_deref()))
}

/// What a tag stands for; nothing when there is no such tag.
pub(crate) async fn read(
    state: &State,
    name: &RepositoryName,
    tag: &Tag,
) -> Result<Option<Digest>, RequestError> {
    match state.store.get_bytes(&layout::tag(name, tag), TAG_FILE_LIMIT).await {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(Digest::parse)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// All tags of a repository, and the facts about them.
pub(crate) async fn all(
    state: &State,
    name: &RepositoryName,
) -> Result<Vec<(Tag, ObjectMeta)>, RequestError> {
    let metas: Vec<_> = state.store.list(&layout::tags(name), None).try_collect().await?;
    Ok(metas.into_iter().filter_map(|meta| Some((Tag::parse(meta.key.last_segment())?, meta))).collect())
}

/// Removes the tags that stand for `digest`. Call it with `state.removal` held exclusively.
pub(crate) async fn delete_all(
    state: &State,
    name: &RepositoryName,
    digest: &Digest,
) -> Result<(), RequestError> {
    for (tag, meta) in all(state, name).await? {
        if read(state, name, &tag).await? == Some(*digest) {
            state.store.delete(&meta.key).await?;
        }
    }
    Ok(())
}

async fn is_known(state: &State, name: &RepositoryName) -> Result<bool, RequestError> {
    Ok(state.store.list(&layout::manifests(name), None).try_next().await?.is_some())
}
