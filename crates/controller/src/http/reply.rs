//! Answers that refuse: one flat JSON object, as clients expect it.

use axum::Json;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tracing::error;

use deis_database::DatabaseError;

use crate::app::{DATABASE_AWAY, Refusal};

/// What handlers answer with.
pub(super) type Reply = Result<Response, Refusal>;

const FORBIDDEN: &str = "You do not have permission to perform this action.";
const INTERNAL: &str =
    "The platform failed to do this; its operator finds the cause in the controller's journal.";

/// An answer with a JSON body.
pub(super) fn json_reply<T: serde::Serialize>(status: StatusCode, body: &T) -> Reply {
    Ok((status, Json(body)).into_response())
}

/// An answer without a body.
pub(super) fn empty_reply(status: StatusCode) -> Reply {
    Ok(status.into_response())
}

/// An error with this body.
pub(super) fn error_body(status: StatusCode, body: &Value) -> Response {
    (status, Json(body)).into_response()
}

/// An error explained by `detail`.
pub(super) fn detail(status: StatusCode, detail: &str) -> Response {
    error_body(status, &json!({"detail": detail}))
}

/// The answer where no path matches.
pub(super) async fn not_found() -> Response {
    Refusal::NotFound.into_response()
}

/// The answer where the path has no such method.
pub(super) async fn method_not_allowed(method: Method) -> Response {
    detail(StatusCode::METHOD_NOT_ALLOWED, &format!("Method '{method}' not allowed."))
}

/// The answer where the platform itself is at fault.
pub(super) fn internal_error() -> Response {
    detail(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated(text) => {
                ([(WWW_AUTHENTICATE, "Token")], detail(StatusCode::UNAUTHORIZED, text)).into_response()
            }
            Self::Forbidden => detail(StatusCode::FORBIDDEN, FORBIDDEN),
            Self::ForbiddenBecause(text) => detail(StatusCode::FORBIDDEN, &text),
            Self::NotFound => detail(StatusCode::NOT_FOUND, "Not found"),
            Self::Fields(errors) => (StatusCode::BAD_REQUEST, Json(errors)).into_response(),
            Self::Invalid(text) => detail(StatusCode::BAD_REQUEST, &text),
            Self::UnsupportedMedia(name) => {
                let text = format!("Unsupported media type '{name}' in request.");
                detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, &text)
            }
            Self::TooLarge => detail(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
            Self::Conflict(text) => detail(StatusCode::CONFLICT, &text),
            Self::Busy(text) => {
                let text = format!("Config changes already in progress.\n{text}");
                error_body(StatusCode::CONFLICT, &json!({"error": text}))
            }
            Self::Overloaded => detail(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many log in at this moment. Try again in a few seconds.",
            ),
            Self::Deploy(error) => detail(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
            Self::Database(error) => database_error(&error),
            Self::Internal(text) => {
                error!(error = text, "failed to answer a request");
                internal_error()
            }
        }
    }
}

fn database_error(error: &DatabaseError) -> Response {
    error!(error = %error, "the database failed");
    match error {
        DatabaseError::Full { .. } => detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "The platform's disk is full: nothing was changed. Tell its operator.",
        ),
        DatabaseError::Away { .. } => detail(StatusCode::SERVICE_UNAVAILABLE, DATABASE_AWAY),
        DatabaseError::Unconfirmed { .. } => detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "The platform's database went away meanwhile: this may be done or not. Look before you try again.",
        ),
        DatabaseError::Fenced { .. } => detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another controller took over meanwhile: nothing was changed. Try again.",
        ),
        _ => internal_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: DatabaseError) {
        let told = error.to_string();
        assert_eq!(Refusal::from(error).into_response().status(), StatusCode::SERVICE_UNAVAILABLE, "{told}");
    }

    #[test]
    fn a_database_that_is_away_is_no_fault_of_the_caller_and_passes() {
        let (database, reason) = ("10.0.0.1:5432/deis".to_owned(), "refused".to_owned());
        check(DatabaseError::Away { database: database.clone(), reason: reason.clone() });
        check(DatabaseError::Unconfirmed { database, reason });
        check(DatabaseError::Fenced { lease: "controller".to_owned() });
        check(DatabaseError::Full { path: "/deis.sqlite".to_owned() });
    }
}
