//! The name of content: `sha256:` and 64 hex digits.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// The SHA-256 of some content, written `sha256:` and 64 lower-case hex digits.
///
/// The one algorithm that clients use; the specification leaves others optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Parses `sha256:<hex>`; nothing for other algorithms, lengths and upper-case digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::parse_hex(text.strip_prefix("sha256:")?)
    }

    /// Parses the hex digits alone.
    pub(crate) fn parse_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).ok()?;
        let digest = Self(bytes);
        // One content, one name: upper-case digits would be a second one.
        (digest.hex() == hex).then_some(digest)
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 64 digits.
    pub(crate) fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl From<Sha256> for Digest {
    fn from(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::parse(text), Some(Digest::of(b"")));
        assert_eq!(Digest::of(b"").to_string(), text);
        for wrong in
            ["", "sha256:", &text[..70], &text.to_uppercase(), &text.replace('e', "E"), "sha512:00", "md5:x"]
        {
            assert_eq!(Digest::parse(wrong), None, "{wrong:?}");
        }
    }
}
