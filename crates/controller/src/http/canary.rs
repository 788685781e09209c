//! `/v1/apps/<id>/canary/…`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use deis_api::v1::{Canary, Promoted};

use super::caller::Caller;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    let (weight, canaries) = platform.canary(&caller, &id).await?;
    let release = canaries.canary.map(|release| wire::release(&id, release));
    let next = canaries.trial.map(|release| wire::release(&id, release));
    json_reply(StatusCode::OK, &Canary { weight, release, next })
}

pub(super) async fn promote(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    let version = platform.promote_canary(&caller, &id).await?;
    json_reply(StatusCode::OK, &json!(Promoted { version: version.number() }))
}

pub(super) async fn end(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    platform.end_canary(&caller, &id).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
