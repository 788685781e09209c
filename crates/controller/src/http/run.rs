//! `/v1/apps/<id>/run`: one-off commands.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::body::Fields;
use super::caller::Caller;
use super::reply::{Reply, json_reply};
use crate::app::Platform;

/// Answers `[exit status, output]`. The field `input` is not in the original: text for the command to read, at most 1 MiB.
pub(super) async fn run(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let [command] = fields.required(["command"])?;
    let outcome = platform.run(&caller, &id, &command, fields.text("input")?).await?;
    json_reply(StatusCode::OK, &outcome)
}
