//! `/internal/…`: what other components and `deisctl` ask, with the internal key.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use deis_api::internal::{
    AdminRequest, AppList, CopyChange, KeyOwner, ListedApp, RepositoryCopy, SettingsPage,
};

use super::reply::{Reply, empty_reply, json_reply};
use crate::app::Platform;

pub(super) async fn key(State(platform): State<Platform>, Path(fingerprint): Path<String>) -> Reply {
    let key = platform.key_by_fingerprint(&fingerprint).await?;
    json_reply(StatusCode::OK, &KeyOwner { username: key.owner, public: key.public })
}

pub(super) async fn apps(State(platform): State<Platform>) -> Reply {
    let apps = platform.app_uuids().await?.into_iter().map(|(id, uuid)| ListedApp { id, uuid });
    json_reply(StatusCode::OK, &AppList { apps: apps.collect() })
}

pub(super) async fn repository(State(platform): State<Platform>, Path(uuid): Path<String>) -> Reply {
    json_reply(StatusCode::OK, &RepositoryCopy { copy: platform.repository_copy(&uuid).await? })
}

pub(super) async fn replace_repository(
    State(platform): State<Platform>,
    Path(uuid): Path<String>,
    Json(change): Json<CopyChange>,
) -> Reply {
    platform.replace_repository_copy(&uuid, change).await?;
    empty_reply(StatusCode::NO_CONTENT)
}

pub(super) async fn settings(State(platform): State<Platform>, Path(target): Path<String>) -> Reply {
    let settings = platform.settings(&target).await?;
    let values = settings.into_iter().map(|(key, value)| (key, Some(value))).collect();
    json_reply(StatusCode::OK, &SettingsPage { values })
}

pub(super) async fn change_settings(
    State(platform): State<Platform>,
    Path(target): Path<String>,
    Json(page): Json<SettingsPage>,
) -> Reply {
    platform.change_settings(&target, &page.values).await?;
    Ok(settings(State(platform), Path(target)).await.into_response())
}

pub(super) async fn ensure_admin(
    State(platform): State<Platform>,
    Json(request): Json<AdminRequest>,
) -> Reply {
    platform.ensure_admin(&request.username, request.password, request.email).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
