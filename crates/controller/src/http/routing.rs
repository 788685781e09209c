//! `/v1/apps/<id>/routing/`: how routers treat an app's visitors, one JSON object of keys and values.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::body::Fields;
use super::caller::Caller;
use super::reply::{Reply, json_reply};
use crate::app::{Platform, Refusal};

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    json_reply(StatusCode::OK, &platform.routing(&caller, &id).await?)
}

/// Null removes a key; keys that are not mentioned stay.
pub(super) async fn change(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let changes = fields.0.keys().map(|key| Ok((key.clone(), fields.text(key)?)));
    let changes = changes.collect::<Result<_, Refusal>>()?;
    json_reply(StatusCode::OK, &platform.change_routing(&caller, &id, changes).await?)
}
