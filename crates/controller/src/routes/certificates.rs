//! The certificates that routers serve an app's hosts with.

use deis_database::{AcmePair, Database, DatabaseError, SealedPair};
use deis_model::{AppId, KeyPair};
use tracing::warn;

use crate::app::certificate_purpose;
use crate::{Vault, acme};

/// Finds certificates, and opens what keys of theirs are sealed.
pub struct Certificates {
    database: Database,
    vault: Vault,
}

impl Certificates {
    /// Those of `database`, whose keys `vault` sealed.
    pub fn new(database: Database, vault: Vault) -> Self {
        Self { database, vault }
    }

    /// The certificates for the `hosts` of `app`, best first. One whose key cannot be opened is left out.
    pub async fn of(&self, app: &AppId, hosts: &[String]) -> Result<Vec<KeyPair>, DatabaseError> {
        let uploaded = self.database.sealed_pairs(app, hosts).await?;
        let automatic = self.database.acme_pairs(hosts).await?;
        let mut pairs: Vec<KeyPair> = Vec::with_capacity(uploaded.len() + automatic.len());
        let uploaded = uploaded.into_iter().filter_map(|pair| self.unseal(pair));
        for pair in uploaded.chain(automatic.into_iter().filter_map(|pair| self.unseal_automatic(pair))) {
            // Clients of old upload the same once per name.
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }

    fn unseal_automatic(&self, pair: AcmePair) -> Option<KeyPair> {
        match self.vault.unseal(&acme::key_purpose(&pair.host), &pair.sealed_key) {
            Ok(key) => Some(KeyPair { chain: pair.chain, key }),
            Err(error) => {
                let host = pair.host;
                warn!(host, %error, "failed to open a certificate's key; add the domain anew to have another made");
                None
            }
        }
    }

    fn unseal(&self, pair: SealedPair) -> Option<KeyPair> {
        match self.vault.unseal(&certificate_purpose(&pair.common_name), &pair.sealed_key) {
            Ok(key) => Some(KeyPair { chain: pair.chain, key }),
            Err(error) => {
                warn!(certificate = pair.common_name, %error, "failed to open a certificate's key; upload both again");
                None
            }
        }
    }
}
