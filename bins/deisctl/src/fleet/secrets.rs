//! The platform's keys and passwords, made once for the whole cluster.

use serde::{Deserialize, Serialize};

use deis_runtime::secrets::random_hex;

use super::Document;

/// What roles share. No `Debug`: it is never printed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// Authenticates calls between roles.
    pub(crate) internal_key: String,
    /// Of the account `deis` at the registry.
    pub(crate) registry_password: String,
    /// Of the account `deis` at the platform's own database.
    pub(crate) database_password: String,
    /// Of the account there that may do anything, on its own host alone.
    pub(crate) database_superuser_password: String,
    /// Of the accounts that its hosts copy each other with.
    pub(crate) database_replication_password: String,
    /// Seals what controllers keep in the database. Platforms of older versions have none yet.
    #[serde(default)]
    pub(crate) sealing_key: String,
}

impl Secrets {
    /// New ones.
    pub(crate) fn generate() -> Self {
        Self {
            internal_key: random_hex(),
            registry_password: random_hex(),
            database_password: random_hex(),
            database_superuser_password: random_hex(),
            database_replication_password: random_hex(),
            sealing_key: random_hex(),
        }
    }

    /// Makes what platforms of older versions do not have.
    pub(crate) fn complete(&mut self) {
        if self.sealing_key.is_empty() {
            self.sealing_key = random_hex();
        }
    }
}

impl Document for Secrets {
    const NAME: &'static str = "deis-secrets";
}
