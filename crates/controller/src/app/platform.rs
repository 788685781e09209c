//! The platform as use cases see it: everything that they work with.

use std::sync::Arc;

use deis_api::client::InternalClient;
use deis_database::Database;

use super::password::Passwords;
use super::{Deploys, Events};
use crate::Vault;

/// What every use case works with. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    pub(super) database: Database,
    pub(super) deploys: Arc<dyn Deploys>,
    pub(super) events: Events,
    pub(super) domain: Arc<str>,
    pub(super) logger: InternalClient,
    pub(super) registry_host: Arc<str>,
    pub(super) passwords: Passwords,
    pub(super) vault: Vault,
}

impl Platform {
    /// A platform at `domain`, whose registry is known to engines as `registry_host`.
    pub fn new(
        database: Database,
        deploys: Arc<dyn Deploys>,
        events: Events,
        domain: &str,
        logger: InternalClient,
        registry_host: &str,
        vault: Vault,
    ) -> Self {
        Self {
            database,
            deploys,
            events,
            domain: domain.to_ascii_lowercase().into(),
            logger,
            registry_host: registry_host.into(),
            passwords: Passwords::new(),
            vault,
        }
    }

    /// The domain below which apps are reached.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}
