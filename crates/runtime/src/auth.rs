//! Authentication of calls between components.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use crate::Peer;

/// An axum middleware (`middleware::from_fn_with_state(key, require_internal_key)`) that lets only holders of the
/// internal key through: `Authorization: Bearer <key>`. Others get 401.
pub async fn require_internal_key(State(key): State<InternalKey>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(given) if key.matches(given) => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, "the internal key is missing or wrong\n").into_response(),
    }
}

/// The key that components share. No `Debug`: it is never printed.
#[derive(Clone)]
pub struct InternalKey(String);

impl InternalKey {
    /// Wraps the key.
    pub fn new(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// Whether `given` is the key; takes the same time whatever differs.
    pub fn matches(&self, given: &str) -> bool {
        !self.0.is_empty() && bool::from(self.0.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// An axum middleware (`middleware::from_fn_with_state(Allowed::roles([Role::Router]), require_role)`) that lets only
/// members of the platform with one of these roles through; others get 403.
///
/// Without mutual TLS (one machine) there are no peers to tell apart, and all are let through.
pub async fn require_role(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    match request.extensions().get::<Peer>() {
        Some(peer) if !allowed.includes(peer) => {
            let refusal = format!("a {} may not call this; {} may\n", peer.role(), allowed.0.join(", "));
            (StatusCode::FORBIDDEN, refusal).into_response()
        }
        _ => next.run(request).await,
    }
}

/// The roles that may call an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(Arc<[String]>);

impl Allowed {
    /// These.
    pub fn roles<R: AsRef<str>>(roles: impl IntoIterator<Item = R>) -> Self {
        Self(roles.into_iter().map(|role| role.as_ref().to_owned()).collect())
    }

    /// Whether `peer` is one of them.
    pub fn includes(&self, peer: &Peer) -> bool {
        self.0.iter().any(|role| peer.is(role))
    }
}
