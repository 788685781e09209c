//! Users' SSH keys: their fingerprints, and whether one is what its owner uploaded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use russh::keys::PublicKey;

/// The MD5 fingerprint of a key's blob: 16 lower-case hex pairs with colons.
///
/// It only looks the key up; [`is_same`] then compares the key itself.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    Md5::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// A key's blob as SSH sends it.
pub(crate) fn blob(key: &PublicKey) -> Vec<u8> {
    key.to_bytes().unwrap_or_default()
}

/// Whether `uploaded` (`<type> <base64> [comment]`) is the key with this type and blob.
pub(crate) fn is_same(uploaded: &str, algorithm: &str, blob: &[u8]) -> bool {
    let mut words = uploaded.split_whitespace();
    words.next() == Some(algorithm)
        && words
            .next()
            .and_then(|text| STANDARD.decode(text).ok())
            .is_some_and(|held| held == blob && !held.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ann@home";

    #[test]
    fn a_key_is_the_same_only_with_its_type_and_blob() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let bytes = blob(&key);
        assert!(is_same(KEY, "ssh-ed25519", &bytes));
        assert!(!is_same(KEY, "ssh-rsa", &bytes));
        assert!(!is_same(KEY, "ssh-ed25519", &bytes[1..]));
        assert!(!is_same("ssh-ed25519", "ssh-ed25519", b""));
        assert!(!is_same("", "", b""));
    }

    #[test]
    fn fingerprints_are_hex_pairs() {
        assert_eq!(fingerprint(b""), "d4:1d:8c:d9:8f:00:b2:04:e9:80:09:98:ec:f8:42:7e");
    }
}
