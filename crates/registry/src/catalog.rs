//! The names of all repositories.

use crate::{
    error::RequestError,
    layout,
    page::{self, Page},
    repository::RepositoryName,
    state::State,
};
use axum::response::Response;
use futures::TryStreamExt;
use serde_json::json;
use std::collections::BTreeSet;

/// `GET /v2/_catalog`: in the order of their bytes.
pub(crate) async fn list(state: &State, query: Page) -> Result<Response, RequestError> {
    let length = query.length()?;
    let names = names(state).await?.into_iter().map(|name| name.to_string());
    let wanted = names.filter(|name| query.last.as_ref().is_none_or(|last| name > last)).take(length + 1);
    let (repositories, last) = page::cut(wanted.collect(), length);
    Ok(page::answer(json!({ "repositories": repositories }), "/v2/_catalog", length, last.as_deref()))
}

/// Every repository that has something.
///
/// Listed by key, `a-b/…` comes before `a/…`, but `a` before `a-b`: hence the set.
pub(crate) async fn names(state: &State) -> Result<BTreeSet<RepositoryName>, RequestError> {
    let add = |mut names: BTreeSet<RepositoryName>, key| async move {
        names.extend(layout::repository_of(&key));
        Ok(names)
    };
    let keys = state.store.list(layout::REPOSITORIES, None).map_ok(|meta| meta.key);
    Ok(keys.try_fold(BTreeSet::new(), add).await?)
}
