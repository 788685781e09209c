//! `/v1/apps/<id>/config/`: environment, limits and tags.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use deis_model::ConfigChange;

use super::body::Fields;
use super::caller::Caller;
use super::releases::release_headers;
use super::reply::{Reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    let (app, config) = platform.config(&caller, &id).await?;
    json_reply(StatusCode::OK, &wire::config(&app, config))
}

pub(super) async fn change(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let change = ConfigChange::parse(&fields.0)?;
    let (app, released) = platform.change_config(&caller, &id, &change).await?;
    let mut config = wire::config(&app, released.config);
    if released.build.is_some() {
        wire::with_release(&mut config.values, &app, &released.release);
    }
    let body = json_reply(StatusCode::CREATED, &config)?;
    Ok((release_headers(released.release.version), body).into_response())
}
