//! The platform's own keys: made once, kept in files that only their owner can read.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rand::RngCore;

use crate::DataDir;
use crate::file::write_atomically;

/// Keys that components of one platform share. No `Debug`: they are never printed.
#[derive(Clone)]
pub struct Secrets {
    /// Authenticates calls between components.
    pub internal_key: String,
    /// Password of the account `deis` at the registry.
    pub registry_password: String,
}

/// Why a key could not be read or made.
#[derive(Debug, thiserror::Error)]
#[error("failed to read or make the key in {}: {source}", path.display())]
pub struct SecretsError {
    path: PathBuf,
    source: io::Error,
}

impl Secrets {
    /// Reads the keys below `data`, making those that are missing.
    pub fn open(data: &DataDir) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::open_in(&data.directory("secrets")?)?)
    }

    /// Reads the keys in `directory`, making those that are missing.
    pub fn open_in(directory: &Path) -> Result<Self, SecretsError> {
        Ok(Self {
            internal_key: read_or_make(&directory.join("internal.key"))?,
            registry_password: read_or_make(&directory.join("registry.password"))?,
        })
    }
}

/// Reads the key in the file at `path`, making it if it is missing: 32 random bytes in hex.
pub fn read_or_make(path: &Path) -> Result<String, SecretsError> {
    let failed = |source| SecretsError { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) => Err(failed(io::Error::other("the file is empty; remove it to have a new key made"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = random_hex();
            make(path, &key).map_err(failed)?;
            fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Two roles may start at once: the first to link its file in place decides.
fn make(path: &Path, key: &str) -> io::Result<()> {
    let candidate = path.with_extension(random_hex());
    write_atomically(&candidate, key.as_bytes(), 0o600)?;
    let linked = fs::hard_link(&candidate, path);
    fs::remove_file(&candidate)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// 32 random bytes in hex.
pub fn random_hex() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}
