//! The lease of the controllers: a row in their database.

use std::time::Duration;

use async_trait::async_trait;

use deis_api::internal::Leader;
use deis_database::{Database, DatabaseError, Lease};

/// What the lease is called.
const NAME: &str = "controller";

/// How the lease is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long it counts after it was taken or renewed.
    pub(crate) ttl: Duration,
    /// How often it is renewed, and by those who do not have it, looked at.
    pub(crate) renew: Duration,
    /// How long before it passes its holder stops to act by it, whatever the database's clock says.
    pub(crate) margin: Duration,
}

impl Pace {
    /// Where other controllers wait for it.
    pub(crate) const SHARED: Self = Self {
        ttl: Duration::from_secs(5),
        renew: Duration::from_millis(1500),
        margin: Duration::from_secs(1),
    };
    /// Where there is no other: a busy disk must not make the only controller pause.
    pub(crate) const ALONE: Self =
        Self { ttl: Duration::from_secs(60), renew: Duration::from_secs(10), margin: Duration::from_secs(5) };

    /// How long the lease is acted by after it was taken or renewed.
    pub(crate) fn acts(self) -> Duration {
        self.ttl.saturating_sub(self.margin)
    }
}

/// Takes, keeps and gives back the one lease there is.
#[async_trait]
pub(crate) trait Leases: Send + Sync {
    /// Takes it, unless somebody else holds it.
    async fn take(&self) -> Result<Option<Lease>, DatabaseError>;

    /// Renews it; false once somebody else has it.
    async fn renew(&self, lease: &Lease) -> Result<bool, DatabaseError>;

    /// Gives it back, for the next to take at once.
    async fn release(&self, lease: &Lease) -> Result<(), DatabaseError>;

    /// Who holds it.
    async fn leader(&self) -> Result<Leader, DatabaseError>;
}

/// The lease in a database.
pub(crate) struct DatabaseLeases {
    /// Holds it.
    pub(crate) database: Database,
    /// Names this process.
    pub(crate) holder: String,
    /// The base URL of this controller, as others call it.
    pub(crate) url: String,
    /// How long it is taken for.
    pub(crate) ttl: Duration,
}

#[async_trait]
impl Leases for DatabaseLeases {
    async fn take(&self) -> Result<Option<Lease>, DatabaseError> {
        self.database.take_lease(NAME, &self.holder, &self.url, self.ttl).await
    }

    async fn renew(&self, lease: &Lease) -> Result<bool, DatabaseError> {
        match self.database.renew_lease(lease).await {
            Ok(()) => Ok(true),
            Err(DatabaseError::Fenced { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), DatabaseError> {
        self.database.release_lease(lease).await
    }

    async fn leader(&self) -> Result<Leader, DatabaseError> {
        let held = self.database.lease_holder(NAME).await?;
        Ok(held.map(|held| Leader { url: Some(held.address), epoch: held.epoch }).unwrap_or_default())
    }
}
