//! `/v1/apps/…`: apps and their formation.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use deis_model::permission::Action;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn list(State(platform): State<Platform>, Caller(caller): Caller, paging: Paging) -> Reply {
    let apps = platform.apps(&caller, paging.slice()).await?;
    paging.reply(apps, |app| wire::app(app, platform.domain()))
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    let app = platform.create_app(&caller, fields.text("id")?.as_deref()).await?;
    json_reply(StatusCode::CREATED, &wire::app(app, platform.domain()))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    let app = platform.app(&caller, &id, Action::View).await?;
    json_reply(StatusCode::OK, &wire::app(app, platform.domain()))
}

pub(super) async fn update(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    platform.update_app(&caller, &id, fields.text("owner")?.as_deref()).await?;
    empty_reply(StatusCode::OK)
}

pub(super) async fn destroy(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    platform.destroy_app(&caller, &id).await?;
    empty_reply(StatusCode::NO_CONTENT)
}

pub(super) async fn scale(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    platform.scale(&caller, &id, &fields.0).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
