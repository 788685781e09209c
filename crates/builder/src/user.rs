//! Whom a connection belongs to, and what the controller lets them do.

use std::collections::BTreeMap;
use std::time::Duration;

use deis_api::client::{CallError, InternalClient};
use deis_api::v1::hooks::{ConfigHook, ConfigHookResponse};
use deis_model::AppId;

use crate::app_uuid::AppUuid;
use crate::error::PushError;

/// How long the controller may take to say whether somebody is allowed something.
const ANSWER: Duration = Duration::from_secs(15);

/// A user of the platform, known by an SSH key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// Login name.
    pub(crate) name: String,
    /// MD5 of the key: 16 hex pairs with colons.
    pub(crate) fingerprint: String,
}

/// Reads which app has this name now, and its config. The controller tells only those who may use the app.
pub(crate) async fn read_config(
    controller: &InternalClient,
    user: &User,
    app: &AppId,
) -> Result<(AppUuid, BTreeMap<String, String>), PushError> {
    let action = "hand out the config";
    let body = ConfigHook { receive_user: user.name.clone(), receive_repo: app.to_string() };
    let answer = controller.post("/v1/hooks/config", &body, ANSWER).await;
    let answer: ConfigHookResponse = answer.map_err(|error| refusal(error, action, user, app))?;
    let refused = || {
        let detail = format!("{:?} is no uuid of an app", answer.app_uuid);
        PushError::ControllerRefused { action, detail }
    };
    Ok((AppUuid::parse(&answer.app_uuid).ok_or_else(refused)?, answer.config.values))
}

/// Why the controller refused `action`, for the pusher.
pub(crate) fn refusal(error: CallError, action: &'static str, user: &User, app: &AppId) -> PushError {
    let status = error.status().map(|status| status.as_u16());
    match (status, error) {
        (Some(404), _) => PushError::UnknownApp(app.clone()),
        (Some(403), _) => PushError::Denied { user: user.name.clone(), app: app.clone() },
        (Some(502 | 504), error) | (None, error) => PushError::ControllerAway(error),
        (Some(401), _) => {
            let detail = "the builder's key is wrong; an operator must give both roles the same one";
            PushError::ControllerRefused { action, detail: detail.to_owned() }
        }
        (Some(_), error) => PushError::ControllerRefused { action, detail: detail(error) },
    }
}

/// What a refusing component said.
pub(crate) fn detail(error: CallError) -> String {
    match error {
        CallError::Refused { detail, .. } if !detail.trim().is_empty() => detail,
        error => error.to_string(),
    }
}
