//! The name of one request, by which its traces in router, app and logs are found.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over.
const LONGEST: usize = 128;

/// The name of one request. Lives on the stack.
#[derive(Clone, Copy)]
pub(crate) struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// The one `given` by the client if it is `trusted` and plain, else a new one, 32 hexadecimal digits.
    pub(crate) fn choose(given: Option<&[u8]>, trusted: bool) -> Self {
        let mut id = Self { bytes: [0; LONGEST], length: 32 };
        match given.filter(|given| trusted && is_plain(given)) {
            Some(given) => {
                id.length = given.len();
                id.bytes[..given.len()].copy_from_slice(given);
            }
            None => hex::encode_to_slice(rand::random::<[u8; 16]>(), &mut id.bytes[..32])
                .expect("32 digits hold 16 bytes"),
        }
        id
    }

    /// As it is written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// As a header's value.
    pub(crate) fn value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).expect("plain ids are valid in a header")
    }
}

/// The id in `headers`: the client's own if it is `trusted` and plain, else a new one.
pub(crate) fn ensure(headers: &mut HeaderMap, trusted: bool) -> HeaderValue {
    let given = headers.get(&X_REQUEST_ID).map(HeaderValue::as_bytes);
    let id = RequestId::choose(given, trusted).value();
    headers.insert(&X_REQUEST_ID, id.clone());
    id
}

/// Whether it can be shown and logged as it is.
fn is_plain(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len())
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
        let new = || RequestId::choose(None, true).value();
        assert_ne!(new(), new());
        assert_eq!(new().len(), 32);
    }
}
