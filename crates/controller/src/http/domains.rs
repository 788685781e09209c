//! `/v1/apps/<id>/domains/…`.

use axum::extract::{Path, State};
use axum::http::StatusCode;

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
    paging: Paging,
) -> Reply {
    paging.reply(platform.domains(&caller, &id, paging.slice()).await?, wire::domain)
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let [domain] = fields.required(["domain"])?;
    let domain = platform.add_domain(&caller, &id, &domain).await?;
    json_reply(StatusCode::CREATED, &wire::domain(domain))
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, domain)): Path<(String, String)>,
) -> Reply {
    platform.remove_domain(&caller, &id, &domain).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
