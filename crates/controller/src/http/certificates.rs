//! `/v1/certs/…`: the caller's own certificates, and the automatic ones of apps on which the caller works.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use deis_api::v1;
use deis_database::Listing;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::{Platform, Refusal};

/// Those that were uploaded come first.
pub(super) async fn list(State(platform): State<Platform>, Caller(caller): Caller, paging: Paging) -> Reply {
    let slice = paging.slice();
    let uploaded = platform.certificates(&caller, slice).await?;
    let automatic = platform.automatic_certificates(&caller).await?;
    let total = uploaded.total + automatic.len() as u64;
    let left = slice.limit as usize - uploaded.items.len();
    let passed = u64::from(slice.offset).saturating_sub(uploaded.total);
    let automatic = automatic.into_iter().skip(usize::try_from(passed).unwrap_or(usize::MAX)).take(left);
    let items: Vec<v1::Certificate> =
        uploaded.items.into_iter().map(wire::certificate).chain(automatic.map(wire::automatic)).collect();
    paging.reply(Listing { total, items }, |certificate| certificate)
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
    let certificate = match platform.certificate(&caller, &name).await {
        Err(Refusal::NotFound) => wire::automatic(platform.automatic_certificate(&caller, &name).await?),
        uploaded => wire::certificate(uploaded?),
    };
    json_reply(StatusCode::OK, &certificate)
}

pub(super) async fn delete(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(name): Path<String>,
) -> Reply {
    platform.delete_certificate(&caller, &name).await?;
    empty_reply(StatusCode::NO_CONTENT)
}
