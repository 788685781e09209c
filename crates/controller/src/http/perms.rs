//! `/v1/apps/<id>/perms/…` and `/v1/admin/perms/…`.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use deis_api::v1::Collaborators;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn list(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    let users = platform.collaborators(&caller, &id).await?;
    json_reply(StatusCode::OK, &Collaborators { users })
}

pub(super) async fn grant(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let [username] = fields.required(["username"])?;
    platform.grant(&caller, &id, &username).await?;
    empty_reply(StatusCode::CREATED)
}

pub(super) async fn revoke(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, username)): Path<(String, String)>,
) -> Reply {
    platform.revoke(&caller, &id, &username).await?;
    empty_reply(StatusCode::NO_CONTENT)
}

pub(super) async fn admins(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    paging: Paging,
) -> Reply {
    paging.reply(platform.admins(&caller, paging.slice()).await?, wire::admin)
}

pub(super) async fn make_admin(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    let [username] = fields.required(["username"])?;
    platform.set_admin(&caller, &username, true).await?;
    empty_reply(StatusCode::CREATED)
}

pub(super) async fn unmake_admin(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(username): Path<String>,
) -> Reply {
    platform.set_admin(&caller, &username, false).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
