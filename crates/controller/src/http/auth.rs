//! `/v1/auth/…`: registering, logging in, passwords, tokens, leaving.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::body::Fields;
use super::caller::{Caller, MaybeCaller};
use super::reply::{Reply, empty_reply, json_reply};
use super::wire;
use crate::app::{NewPassword, Platform, Registration};

/// `GET /v1/`: clients probe it for a 401.
pub(super) async fn root(_: Caller) -> Reply {
    json_reply(StatusCode::OK, &json!({}))
}

pub(super) async fn register(
    State(platform): State<Platform>,
    MaybeCaller(caller): MaybeCaller,
    fields: Fields,
) -> Reply {
    let [username, password] = fields.required(["username", "password"])?;
    let new = Registration {
        username,
        password,
        email: fields.text_or_empty("email")?,
        first_name: fields.text_or_empty("first_name")?,
        last_name: fields.text_or_empty("last_name")?,
    };
    let user = platform.register(caller.as_ref(), new).await?;
    json_reply(StatusCode::CREATED, &wire::user(user))
}

pub(super) async fn log_in(State(platform): State<Platform>, fields: Fields) -> Reply {
    let [username, password] = fields.required(["username", "password"])?;
    let token = platform.log_in(&username, password).await?;
    json_reply(StatusCode::OK, &json!({"token": token}))
}

pub(super) async fn cancel(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    platform.cancel(&caller, fields.text("username")?.as_deref()).await?;
    empty_reply(StatusCode::NO_CONTENT)
}

pub(super) async fn change_password(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    let [new_password] = fields.required(["new_password"])?;
    let change =
        NewPassword { username: fields.text("username")?, password: fields.text("password")?, new_password };
    platform.change_password(&caller, change).await?;
    json_reply(StatusCode::OK, &json!({"status": "password set"}))
}

pub(super) async fn regenerate(
    State(platform): State<Platform>,
    Caller(caller): Caller,
    fields: Fields,
) -> Reply {
    if fields.0.contains_key("all") {
        platform.regenerate_all_tokens(&caller).await?;
        return json_reply(StatusCode::OK, &"");
    }
    let token = platform.regenerate_token(&caller, fields.text("username")?.as_deref()).await?;
    json_reply(StatusCode::OK, &json!({"token": token}))
}
