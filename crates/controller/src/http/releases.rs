//! `/v1/apps/<id>/releases/…`.

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use deis_api::v1::RolledBack;
use deis_model::ReleaseVersion;

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, json_reply};
use super::wire;
use crate::app::{Platform, Refusal};

pub(super) async fn list(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    paging: Paging,
) -> Reply {
    let releases = platform.releases(&caller, &id, paging.slice()).await?;
    paging.reply(releases, |release| wire::release(&id, release))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, version)): Path<(String, String)>,
) -> Reply {
    let number = version.strip_prefix('v').and_then(|number| number.parse().ok());
    let version = number.and_then(ReleaseVersion::new).ok_or(Refusal::NotFound)?;
    let release = platform.release(&caller, &id, version).await?;
    json_reply(StatusCode::OK, &wire::release(&id, release))
}

pub(super) async fn roll_back(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let version = match fields.0.get("version") {
        None | Some(Value::Null) => None,
        Some(value) => {
            Some(number(value).ok_or_else(|| Refusal::field("version", "A valid integer is required."))?)
        }
    };
    let version = platform.roll_back(&caller, &id, version).await?;
    json_reply(StatusCode::CREATED, &json!(RolledBack { version: version.number() }))
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Tells which release a request led to.
pub(super) fn release_headers(version: ReleaseVersion) -> [(HeaderName, HeaderValue); 2] {
    let value = HeaderValue::from(version.number());
    [
        (HeaderName::from_static("deis-release"), value.clone()),
        (HeaderName::from_static("x-deis-release"), value),
    ]
}
