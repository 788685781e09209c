//! The vault: seals what the database must not give away to whoever reads it, or a copy of it.
//!
//! The key is a file that controllers share. Without it, what is sealed is lost: certificates have to be uploaded again.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rand::RngCore;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// What sealed texts begin with: how they are sealed.
const VERSION: &str = "1.";

/// Seals and unseals. Cheap to clone. No `Debug`: it holds a key.
#[derive(Clone)]
pub struct Vault {
    key: Arc<LessSafeKey>,
}

/// Why something cannot be sealed or unsealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is none.
    #[error("the sealing key must be 64 hexadecimal digits")]
    Key,
    /// A text was sealed with another key or for another purpose, or is damaged.
    #[error("it was sealed with another key, or is damaged")]
    Unseal,
}

impl Vault {
    /// The vault whose key is `hex`: 32 bytes in hexadecimal.
    pub fn open(hex: &str) -> Result<Self, VaultError> {
        let bytes = hex::decode(hex).map_err(|_| VaultError::Key)?;
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| VaultError::Key)?;
        Ok(Self { key: Arc::new(LessSafeKey::new(key)) })
    }

    /// Seals `secret`. Only for the same `purpose` it is unsealed again: sealed texts cannot stand in for each other.
    pub fn seal(&self, purpose: &str, secret: &str) -> String {
        // Random ones repeat no sooner than after billions of secrets.
        let mut nonce = [0_u8; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = secret.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .expect("a secret is far shorter than what the cipher can seal");
        let bytes = [nonce.as_slice(), &sealed].concat();
        format!("{VERSION}{}", STANDARD_NO_PAD.encode(bytes))
    }

    /// What was sealed for `purpose`.
    pub fn unseal(&self, purpose: &str, sealed: &str) -> Result<String, VaultError> {
        let text = sealed.strip_prefix(VERSION).ok_or(VaultError::Unseal)?;
        let mut bytes = STANDARD_NO_PAD.decode(text).map_err(|_| VaultError::Unseal)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(VaultError::Unseal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Unseal)?;
        let secret = self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), sealed);
        let secret = secret.map_err(|_| VaultError::Unseal)?;
        String::from_utf8(secret.to_vec()).map_err(|_| VaultError::Unseal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(digit: &str) -> Vault {
        Vault::open(&digit.repeat(64)).expect("a key")
    }

    #[test]
    fn what_is_sealed_is_had_back_for_the_same_purpose_alone() {
        let sealed = vault("a").seal("key of www", "secret");
        assert_eq!(vault("a").unseal("key of www", &sealed), Ok("secret".to_owned()));
        assert_eq!(vault("a").unseal("key of api", &sealed), Err(VaultError::Unseal));
        assert_eq!(vault("b").unseal("key of www", &sealed), Err(VaultError::Unseal));
        assert_ne!(vault("a").seal("key of www", "secret"), sealed, "equal secrets do not show");
    }

    #[test]
    fn what_was_never_sealed_is_refused() {
        let sealed = vault("a").seal("x", "secret");
        let mut damaged = sealed.clone();
        damaged.replace_range(10..11, if &sealed[10..11] == "A" { "B" } else { "A" });
        for text in ["", "1.", "1.aGk", "secret", "1.ä", &sealed[2..], &damaged] {
            assert_eq!(vault("a").unseal("x", text), Err(VaultError::Unseal), "{text}");
        }
    }

    #[test]
    fn a_key_has_32_bytes() {
        for text in ["", "ab", &"g".repeat(64), &"a".repeat(66)] {
            assert!(matches!(Vault::open(text), Err(VaultError::Key)), "{text}");
        }
    }
}
