//! `/v1/users/`.

use axum::extract::State;

use super::caller::Caller;
use super::page::Paging;
use super::reply::Reply;
use super::wire;
use crate::app::Platform;

pub(super) async fn list(State(platform): State<Platform>, Caller(caller): Caller, paging: Paging) -> Reply {
    paging.reply(platform.users(&caller, paging.slice()).await?, wire::user)
}
