//! Names and passwords that visitors bring with each request.
//!
//! To check one costs a millisecond, so what was found right is remembered: as keyed hashes in a few atomic numbers.
//! Whoever does not know the key, which no two routers share, cannot find a text that has one of them.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deis_model::routing::Credential;

use super::bounds::Bounds;
use super::refusal::Refusal;

/// How many are remembered.
const KNOWN: usize = 64;

/// How often one client may try, with so many at once: slower than guessing is worth.
const PACE: (Duration, u32) = (Duration::from_millis(200), 20);

/// What was found right.
pub(super) struct Logins {
    hasher: RandomState,
    known: [AtomicU64; KNOWN],
    /// Tells its tries from others'.
    id: u64,
}

impl Default for Logins {
    fn default() -> Self {
        let known = std::array::from_fn(|_| AtomicU64::new(0));
        Self { hasher: RandomState::new(), known, id: rand::random() }
    }
}

impl Logins {
    /// Whether `field`, the value of `Authorization`, is right by one of `credentials`.
    pub(super) async fn check(
        &self,
        credentials: &[Credential],
        field: Option<&[u8]>,
        client: IpAddr,
        bounds: &Bounds,
    ) -> Result<(), Refusal> {
        let field = field.ok_or(Refusal::Unauthorized)?;
        // Never the 0 of an empty place.
        let hash = self.hasher.hash_one(field) | 1;
        let place = &self.known[usize::try_from(hash >> 1).unwrap_or(usize::MAX) % KNOWN];
        if place.load(Relaxed) == hash {
            return Ok(());
        }
        let (user, password) = parse(field).ok_or(Refusal::Unauthorized)?;
        bounds.limiter.take(self.id, client, PACE.0, PACE.1).map_err(Refusal::TooMany)?;
        match verify(bounds, credentials, &user, password).await? {
            true => {
                place.store(hash, Relaxed);
                Ok(())
            }
            false => Err(Refusal::Unauthorized),
        }
    }
}

/// Takes the same time for users there are and those there are not.
async fn verify(
    bounds: &Bounds,
    credentials: &[Credential],
    user: &[u8],
    password: Vec<u8>,
) -> Result<bool, Refusal> {
    let known = credentials.iter().find(|credential| credential.user.as_bytes() == user);
    let Some(credential) = known.or(credentials.first()) else { return Ok(false) };
    let is_right = bounds.verifier.verify(credential.clone(), password).await;
    Ok(is_right.map_err(Refusal::TooMany)? && known.is_some())
}

/// Name and password. Source: RFC 7617 section 2.
pub(crate) fn parse(field: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, rest) = field.split_at_checked(6)?;
    let text = if scheme.eq_ignore_ascii_case(b"basic ") {
        STANDARD.decode(rest.trim_ascii()).ok()?
    } else {
        return None;
    };
    let colon = memchr::memchr(b':', &text)?;
    Some((text[..colon].to_vec(), text[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(logins: &Logins, bounds: &Bounds, field: Option<&str>, expected: Result<(), Refusal>) {
        let credentials =
            [Credential::new("alice", b"se:cret", [1; 16]), Credential::new("bob", b"x", [2; 16])];
        let field = field.map(|text| match text.split_once(' ') {
            Some((scheme, text)) => format!("{scheme} {}", STANDARD.encode(text)),
            None => text.to_owned(),
        });
        let client = [192, 0, 2, 1].into();
        let checked = logins.check(&credentials, field.as_ref().map(String::as_bytes), client, bounds).await;
        assert_eq!(checked, expected, "{field:?}");
    }

    #[tokio::test]
    async fn a_name_and_its_password_let_in() {
        let (logins, bounds) = (Logins::default(), Bounds::new(1));
        check(&logins, &bounds, Some("Basic alice:se:cret"), Ok(())).await;
        check(&logins, &bounds, Some("basic bob:x"), Ok(())).await;
        for wrong in [
            None,
            Some("Basic alice:x"),
            Some("Basic carl:x"),
            Some("Bearer bob:x"),
            Some("Basic bob"),
            Some(""),
        ] {
            check(&logins, &bounds, wrong, Err(Refusal::Unauthorized)).await;
        }
    }

    #[tokio::test]
    async fn guessing_is_slowed_down_and_those_who_are_known_are_not() {
        let (logins, bounds) = (Logins::default(), Bounds::new(1));
        check(&logins, &bounds, Some("Basic bob:x"), Ok(())).await;
        let guess = async |number: u32| {
            let field = format!("Basic {}", STANDARD.encode(format!("bob:{number}")));
            logins.check(&[], Some(field.as_bytes()), [192, 0, 2, 1].into(), &bounds).await
        };
        let mut number = 0;
        while !matches!(guess(number).await, Err(Refusal::TooMany(_))) {
            number += 1;
            assert!(number < 1000);
        }
        check(&logins, &bounds, Some("Basic bob:x"), Ok(())).await;
    }
}
