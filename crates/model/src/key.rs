//! A key: an SSH public key with which a user pushes.

use base64::Engine;
use md5::{Digest, Md5};
use time::OffsetDateTime;

/// The longest key id, in characters.
pub const MAX_KEY_ID_LENGTH: usize = 128;

/// The longest public key text, in bytes; a 16,384-bit RSA key takes under 3,000.
pub const MAX_PUBLIC_LENGTH: usize = 16 * 1024;

/// A key as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// The name its owner gave it; not unique.
    pub id: String,
    /// Username.
    pub owner: String,
    /// `<type> <base64> [comment]`, unique on the platform.
    pub public: String,
    /// See [`fingerprint`].
    pub fingerprint: String,
    /// When it was added.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

/// Why a text is not a public key. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Empty.
    #[error("This field may not be blank.")]
    Blank,
    /// No second field, or it is not base64.
    #[error("Incorrect padding")]
    NotBase64,
    /// More than one line would become more than one key.
    #[error("Public keys must be on one line")]
    ManyLines,
    /// Too long for a key.
    #[error("Ensure this field has no more than 16384 characters.")]
    TooLong,
}

/// The MD5 of the key's decoded second field: 16 lower-case hex pairs joined with `:`.
pub fn fingerprint(public: &str) -> Result<String, PublicKeyError> {
    if public.trim().is_empty() {
        return Err(PublicKeyError::Blank);
    }
    if public.len() > MAX_PUBLIC_LENGTH {
        return Err(PublicKeyError::TooLong);
    }
    if public.trim().contains(['\n', '\r']) {
        return Err(PublicKeyError::ManyLines);
    }
    let blob = public.split_whitespace().nth(1).ok_or(PublicKeyError::NotBase64)?;
    let blob =
        base64::engine::general_purpose::STANDARD.decode(blob).map_err(|_| PublicKeyError::NotBase64)?;
    let pairs: Vec<String> = Md5::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(public: &str, expected: Result<&str, PublicKeyError>) {
        assert_eq!(fingerprint(public), expected.map(str::to_owned), "{public:?}");
    }

    #[test]
    fn a_fingerprint_is_the_md5_of_the_key_blob() {
        // The blob decodes to "hello", whose MD5 is well known.
        check("ssh-rsa aGVsbG8= ann@laptop", Ok("5d:41:40:2a:bc:4b:2a:76:b9:71:9d:91:10:17:c5:92"));
        check("ssh-rsa aGVsbG8=", Ok("5d:41:40:2a:bc:4b:2a:76:b9:71:9d:91:10:17:c5:92"));
    }

    #[test]
    fn other_texts_are_refused() {
        check("", Err(PublicKeyError::Blank));
        check("ssh-rsa", Err(PublicKeyError::NotBase64));
        check("ssh-rsa not*base64", Err(PublicKeyError::NotBase64));
        check("ssh-rsa aGVsbG8= a\nssh-rsa aGVsbG8= b", Err(PublicKeyError::ManyLines));
    }
}
