//! `/v1/keys/…`: the caller's own SSH keys.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn list(State(platform): State<Platform>, Caller(caller): Caller, paging: Paging) -> Reply {
    paging.reply(platform.keys(&caller, paging.slice()).await?, wire::key)
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    let [id, public] = fields.required(["id", "public"])?;
    let key = platform.add_key(&caller, &id, &public).await?;
    json_reply(StatusCode::CREATED, &wire::key(key))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    json_reply(StatusCode::OK, &wire::key(platform.key(&caller, &id).await?))
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    platform.delete_key(&caller, &id).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
