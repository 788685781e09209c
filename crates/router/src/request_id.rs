//! The name of one request, by which its traces in router, app and logs are found.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id in `headers`: the client's own if it is `trusted` and plain, else a new one, 32 hexadecimal digits.
pub(crate) fn ensure(headers: &mut HeaderMap, trusted: bool) -> HeaderValue {
    if let Some(given) = headers.get(&X_REQUEST_ID).filter(|given| trusted && is_plain(given.as_bytes())) {
        return given.clone();
    }
    let id = new();
    headers.insert(&X_REQUEST_ID, id.clone());
    id
}

fn new() -> HeaderValue {
    let mut digits = [0_u8; 32];
    hex::encode_to_slice(rand::random::<[u8; 16]>(), &mut digits).expect("32 digits hold 16 bytes");
    HeaderValue::from_bytes(&digits).expect("digits are valid in a header")
}

/// Whether it can be shown and logged as it is.
fn is_plain(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &'static str, trusted: bool, kept: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(&X_REQUEST_ID, HeaderValue::from_static(given));
        let id = ensure(&mut headers, trusted);
        assert_eq!(id == given, kept, "{given:?}");
        assert_eq!(headers.get(&X_REQUEST_ID), Some(&id));
    }

    #[test]
    fn a_plain_id_of_a_trusted_peer_is_kept() {
        check("abc-123_4.5", true, true);
        check("abc", false, false);
        check("<script>", true, false);
        check("", true, false);
    }

    #[test]
    fn new_ids_differ() {
        assert_ne!(new(), new());
        assert_eq!(new().len(), 32);
    }
}
