//! `/v1/apps/<id>/builds/…`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value};

use deis_database::NewBuild;
use deis_model::field::object;
use deis_model::{FieldErrors, ProcessType, Procfile};

use super::body::Fields;
use super::caller::Caller;
use super::page::Paging;
use super::releases::release_headers;
use super::reply::{Reply, json_reply};
use super::wire;
use crate::app::{Platform, Refusal};

pub(super) async fn list(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    paging: Paging,
) -> Reply {
    let (app, builds) = platform.builds(&caller, &id, paging.slice()).await?;
    paging.reply(builds, |build| wire::build(&app, build))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, uuid)): Path<(String, String)>,
) -> Reply {
    let (app, build) = platform.build(&caller, &id, &uuid).await?;
    json_reply(StatusCode::OK, &wire::build(&app, build))
}

pub(super) async fn create(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    fields: Fields,
) -> Reply {
    let [image] = fields.required(["image"])?;
    let new = NewBuild {
        owner: caller.username.clone(),
        image,
        sha: fields.text_or_empty("sha")?,
        procfile: procfile(&fields.0)?,
        dockerfile: fields.text_or_empty("dockerfile")?,
    };
    let (app, released) = platform.create_build(&caller, &id, new).await?;
    let build = released.build.ok_or(Refusal::NotFound)?;
    let body = json_reply(StatusCode::CREATED, &wire::build(&app, build))?;
    Ok((release_headers(released.release.version), body).into_response())
}

/// The Procfile in a request: process types and their command lines.
pub(super) fn procfile(fields: &Map<String, Value>) -> Result<Procfile, Refusal> {
    let entries = object(fields, "procfile").map_err(|error| Refusal::field("procfile", error))?;
    let mut errors = FieldErrors::default();
    let mut procfile = Procfile::default();
    for (name, line) in entries {
        match (ProcessType::parse(&name), line) {
            (Ok(process), Value::String(line)) if !line.trim().is_empty() && !line.contains('\0') => {
                procfile.0.insert(process, line);
            }
            (Ok(_), _) => errors.add("procfile", format!("The process type {name} has no command.")),
            (Err(error), _) => errors.add("procfile", error),
        }
    }
    Ok(errors.into_result(procfile)?)
}
