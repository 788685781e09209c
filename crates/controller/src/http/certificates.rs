//! `/v1/certs/…`: the caller's own certificates.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn list(State(platform): State<Platform>, Caller(caller): Caller, paging: Paging) -> Reply {
    paging.reply(platform.certificates(&caller, paging.slice()).await?, wire::certificate)
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    let [chain, key] = fields.required(["certificate", "key"])?;
    let name = fields.text("common_name")?;
    let certificate = platform.add_certificate(&caller, &chain, &key, name.as_deref()).await?;
    json_reply(StatusCode::CREATED, &wire::certificate(certificate))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(name): Path<String>,
) -> Reply {
    json_reply(StatusCode::OK, &wire::certificate(platform.certificate(&caller, &name).await?))
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(name): Path<String>,
) -> Reply {
    platform.delete_certificate(&caller, &name).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
