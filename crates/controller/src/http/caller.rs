//! Who calls: `Authorization: token <40 hex>`, or the builder with its own key.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use deis_model::User;
use deis_runtime::auth::InternalKey;

use super::router::Shared;
use crate::app::{Platform, Refusal};

const NO_CREDENTIALS: &str = "Authentication credentials were not provided.";

/// A user who authenticated.
pub(super) struct Caller(pub(super) User);

/// A user who may have authenticated; wrong credentials count as none.
pub(super) struct MaybeCaller(pub(super) Option<User>);

/// The builder.
pub(super) struct Builder;

impl FromRequestParts<Shared> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let token = token(parts)?;
        Platform::from_ref(shared).authenticate(&token).await.map(Self)
    }
}

impl FromRequestParts<Shared> for MaybeCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        match Caller::from_request_parts(parts, shared).await {
            Ok(Caller(user)) => Ok(Self(Some(user))),
            Err(Refusal::Unauthenticated(_)) => Ok(Self(None)),
            Err(refusal) => Err(refusal),
        }
    }
}

impl FromRequestParts<Shared> for Builder {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let given = parts.headers.get("x-deis-builder-auth").and_then(|value| value.to_str().ok());
        if given.is_some_and(|given| InternalKey::from_ref(shared).matches(given)) {
            return Ok(Self);
        }
        Caller::from_request_parts(parts, shared).await?;
        Err(Refusal::Forbidden)
    }
}

fn token(parts: &Parts) -> Result<String, Refusal> {
    let header = parts.headers.get(AUTHORIZATION).ok_or(Refusal::Unauthenticated(NO_CREDENTIALS))?;
    let header = header.to_str().map_err(|_| Refusal::Unauthenticated("Invalid token"))?;
    let mut words = header.split_whitespace();
    if !words.next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("token")) {
        return Err(Refusal::Unauthenticated(NO_CREDENTIALS));
    }
    match (words.next(), words.next()) {
        (Some(token), None) => Ok(token.to_owned()),
        (None, _) => Err(Refusal::Unauthenticated("Invalid token header. No credentials provided.")),
        (Some(_), Some(_)) => {
            Err(Refusal::Unauthenticated("Invalid token header. Token string should not contain spaces."))
        }
    }
}
