//! `/v1/hooks/…`: calls of the builder on behalf of the user who pushes.

use axum::extract::State;
use axum::http::StatusCode;

use deis_api::v1::hooks::{BuildHook, ConfigHookResponse, PushHook};

use super::body::Fields;
use super::builds::procfile;
use super::caller::Builder;
use super::reply::{Reply, json_reply};
use super::wire;
use crate::app::Platform;

pub(super) async fn push(State(platform): State<Platform>, _: Builder, fields: Fields) -> Reply {
    let [receive_user, receive_repo] = fields.required(["receive_user", "receive_repo"])?;
    let hook = PushHook {
        receive_user,
        receive_repo,
        sha: fields.text_or_empty("sha")?,
        fingerprint: fields.text_or_empty("fingerprint")?,
        ssh_connection: fields.text_or_empty("ssh_connection")?,
        ssh_original_command: fields.text_or_empty("ssh_original_command")?,
    };
    let (app, push, tag) = platform.push(hook).await?;
    json_reply(StatusCode::CREATED, &wire::push(&app, push, &tag))
}

pub(super) async fn config(State(platform): State<Platform>, _: Builder, fields: Fields) -> Reply {
    let [receive_user, receive_repo] = fields.required(["receive_user", "receive_repo"])?;
    let (app, config) = platform.pushed_config(&receive_user, &receive_repo).await?;
    let config = wire::config(&app.id, config);
    json_reply(StatusCode::OK, &ConfigHookResponse { config, app_uuid: app.uuid })
}

pub(super) async fn build(State(platform): State<Platform>, _: Builder, fields: Fields) -> Reply {
    let [receive_user, receive_repo, image] = fields.required(["receive_user", "receive_repo", "image"])?;
    let procfile = procfile(&fields.0)?;
    let hook = BuildHook {
        receive_user,
        receive_repo,
        app_uuid: fields.text_or_empty("app_uuid")?,
        image,
        sha: fields.text_or_empty("sha")?,
        procfile: std::collections::BTreeMap::new(),
        dockerfile: fields.text_or_empty("dockerfile")?,
    };
    json_reply(StatusCode::OK, &platform.pushed_build(hook, procfile).await?)
}
