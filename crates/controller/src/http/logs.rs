//! `/v1/apps/<id>/logs`: text, not JSON.

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::caller::Caller;
use super::reply::{Reply, empty_reply};
use crate::app::{Platform, Refusal};

/// How many lines are shown where the client does not say, and where what it says is no number.
const DEFAULT_LINES: u32 = 1000;
const INVALID_LINES: u32 = 100;

#[derive(Deserialize)]
pub(super) struct Asked {
    log_lines: Option<String>,
    follow: Option<String>,
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Reply {
    let lines = asked.log_lines.map_or(DEFAULT_LINES, |text| text.parse().unwrap_or(INVALID_LINES));
    let follow = asked.follow.is_some_and(|text| matches!(text.as_str(), "true" | "1"));
    match platform.logs(&caller, &id, lines, follow).await {
        Ok(None) => empty_reply(StatusCode::NO_CONTENT),
        Ok(Some(lines)) => Ok(([(CONTENT_TYPE, "text/plain")], Body::from_stream(lines)).into_response()),
        Err(Refusal::Internal(text)) => Ok((StatusCode::INTERNAL_SERVER_ERROR, text).into_response()),
        Err(refusal) => Err(refusal),
    }
}
