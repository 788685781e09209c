//! The builder's own SSH key: made once, so that clients recognise the platform for as long as it lives.

use std::io;
use std::path::Path;

use deis_runtime::file::write_atomically;
use rand::RngCore;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use sha2::{Digest, Sha256};

const FILE: &str = "ssh_host_ed25519_key";

/// Reads the host key in `directory`, making it if it is missing.
///
/// A file that holds no key is an error: another key would look to every client like an attack.
pub(crate) fn open(directory: &Path) -> io::Result<PrivateKey> {
    let path = directory.join(FILE);
    match std::fs::read(&path) {
        Ok(text) => PrivateKey::from_openssh(text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = generate()?;
            let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
            write_atomically(&path, text.as_bytes(), 0o600)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// The host key that follows from the platform's internal key.
pub(crate) fn derive(internal_key: &str) -> io::Result<PrivateKey> {
    let seed = Sha256::new().chain_update("deis builder host key\0").chain_update(internal_key).finalize();
    from_seed(&seed.into())
}

fn generate() -> io::Result<PrivateKey> {
    let mut seed = [0_u8; 32];
    rand::rng().fill_bytes(&mut seed);
    from_seed(&seed)
}

fn from_seed(seed: &[u8; 32]) -> io::Result<PrivateKey> {
    let pair = Ed25519Keypair::from_seed(seed);
    PrivateKey::new(KeypairData::Ed25519(pair), "deis-builder").map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_key_stays_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let made = open(directory.path()).unwrap();
        let read = open(directory.path()).unwrap();
        assert_eq!(made.public_key().key_data(), read.public_key().key_data());
    }

    #[test]
    fn hosts_with_one_internal_key_have_one_host_key() {
        let fingerprint = |key: &str| derive(key).unwrap().public_key().key_data().clone();
        assert_eq!(fingerprint("a key"), fingerprint("a key"));
        assert_ne!(fingerprint("a key"), fingerprint("another key"));
    }

    #[test]
    fn a_damaged_host_key_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), "damaged").unwrap();
        assert!(open(directory.path()).is_err());
    }
}
