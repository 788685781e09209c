//! Every request carries the registry's name and password, as HTTP Basic authentication (RFC 7617).

use crate::{config::Credentials, error::RequestError, state::State};
use axum::{
    extract::{self, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Lets only those through who know the credentials.
pub(crate) async fn require(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    match is_allowed(&state.credentials, request.headers()) {
        true => next.run(request).await,
        false => RequestError::Unauthorized.into_response(),
    }
}

fn is_allowed(credentials: &Credentials, headers: &HeaderMap) -> bool {
    let Some(offered) = offered(headers) else {
        return false;
    };
    let expected = format!("{}:{}", credentials.username, credentials.password);
    // Digests have one length, so that not even the password's length shows in the time taken.
    let (offered, expected) = (Sha256::digest(offered), Sha256::digest(expected));
    let has_password = !credentials.password.is_empty();
    has_password && bool::from(offered.as_slice().ct_eq(expected.as_slice()))
}

/// The `name:password` that a request carries.
fn offered(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    STANDARD.decode(encoded.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, header: Option<&str>, expected: bool) {
        let credentials = Credentials { username: "deis".into(), password: password.into() };
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        assert_eq!(is_allowed(&credentials, &headers), expected, "{header:?}");
    }

    #[test]
    fn only_the_right_name_and_password_pass() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        check("secret", Some(&basic("deis:secret")), true);
        check("secret", Some(&basic("deis:secret").replace("Basic", "basic")), true);
        check("secret", None, false);
        for wrong in ["deis:Secret", "deis:", "deis", "", "x:secret", "deis:secret\0", ":secret"] {
            check("secret", Some(&basic(wrong)), false);
        }
        for wrong in ["", "Basic", "Basic !", "Bearer ZGVpczpzZWNyZXQ=", "ZGVpczpzZWNyZXQ="] {
            check("secret", Some(wrong), false);
        }
        check("", Some(&basic("deis:")), false);
    }
}
