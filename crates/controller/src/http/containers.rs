//! `/v1/apps/<id>/containers/…`.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use deis_database::App;

use super::caller::Caller;
use super::page::Paging;
use super::reply::{Reply, json_reply};
use super::wire;
use crate::app::{ContainerView, Platform, Refusal};

pub(super) async fn list(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
    paging: Paging,
) -> Reply {
    let (app, containers) = platform.containers(&caller, &id, None).await?;
    paging.reply_from(containers, |container| wire::container(&app, container))
}

pub(super) async fn list_type(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, process)): Path<(String, String)>,
    paging: Paging,
) -> Reply {
    let (app, containers) = platform.containers(&caller, &id, Some(&process)).await?;
    paging.reply_from(containers, |container| wire::container(&app, container))
}

pub(super) async fn show(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, process, number)): Path<(String, String, String)>,
) -> Reply {
    let (app, containers) = platform.containers(&caller, &id, Some(&process)).await?;
    let number = parse_number(&number)?;
    // While a release replaces another, both have the container: the newer counts.
    let newest = containers.into_iter().rev().find(|view| view.container.num == number);
    json_reply(StatusCode::OK, &wire::container(&app, newest.ok_or(Refusal::NotFound)?))
}

pub(super) async fn restart_all(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Reply {
    restarted(platform.restart(&caller, &id, None, None).await?)
}

pub(super) async fn restart_type(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, process)): Path<(String, String)>,
) -> Reply {
    restarted(platform.restart(&caller, &id, Some(&process), None).await?)
}

pub(super) async fn restart_one(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    Path((id, process, number)): Path<(String, String, String)>,
) -> Reply {
    let number = parse_number(&number)?;
    restarted(platform.restart(&caller, &id, Some(&process), Some(number)).await?)
}

fn restarted((app, containers): (App, Vec<ContainerView>)) -> Reply {
    let containers: Vec<_> = containers.into_iter().map(|view| wire::container(&app, view)).collect();
    json_reply(StatusCode::OK, &containers)
}

fn parse_number(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}
