//! How everything stands: what the plan is made from.

use std::collections::BTreeMap;

use deis_database::{AcmeAccount, AcmeState, Database, DatabaseError};
use deis_model::acme::{AUTO, AcmeSettings, Capacity, Name, PREFIX, Progress, names};
use deis_model::routing::{MeshSettings, SettingError};
use time::{Duration, OffsetDateTime, UtcOffset};

use super::{AcmeParts, issued};
use crate::Vault;
use crate::routes::open_settings;

/// How many orders are under way at the same time at most.
const AT_ONCE: usize = 4;

/// All names that lead to apps, and what operators say of certificates for them.
pub(crate) struct Named {
    /// What operators say.
    pub(crate) settings: AcmeSettings,
    /// All names that lead to apps.
    pub(crate) names: BTreeMap<String, Name>,
}

/// How everything stands.
pub(super) struct Standing {
    /// What operators say.
    pub(super) settings: AcmeSettings,
    /// All names that lead to apps.
    pub(super) names: BTreeMap<String, Name>,
    /// What is known of names' certificates.
    pub(super) states: BTreeMap<String, AcmeState>,
    /// The account at the authority, and how that works.
    pub(super) account: Option<AcmeAccount>,
}

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StandingError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Settings(#[from] SettingError),
}

impl Named {
    /// Reads them, of a platform at `domain`.
    pub(crate) async fn read(
        database: &Database,
        vault: &Vault,
        domain: &str,
        now: OffsetDateTime,
    ) -> Result<Self, StandingError> {
        let mesh = read_settings(&open_settings(database, vault).await?)?;
        let covered =
            mesh.tls.certificate.as_ref().map(|pair| issued::covered(&pair.chain)).unwrap_or_default();
        let apps = database.acme_names(now).await?;
        Ok(Self { names: names(&mesh.acme, domain, &covered, &apps), settings: mesh.acme })
    }
}

impl Standing {
    /// Reads it.
    pub(super) async fn read(parts: &AcmeParts) -> Result<Self, StandingError> {
        let AcmeParts { database, vault, domain, clock, .. } = parts;
        let Named { settings, names } = Named::read(database, vault, domain, clock()).await?;
        let states = database.acme_states().await?;
        let account = database.acme_account(&settings.directory).await?;
        Ok(Self { settings, names, states, account })
    }

    /// What the plan goes by.
    pub(super) fn progress(&self) -> BTreeMap<String, Progress> {
        self.states.iter().map(|(host, state)| (host.clone(), state.progress.clone())).collect()
    }

    /// How much may be done at `now`.
    pub(super) fn capacity(&self, now: OffsetDateTime) -> Capacity {
        let hour = hour(now);
        let begun = self.account.as_ref().filter(|account| account.hour == hour);
        let begun = begun.map_or(0, |account| account.begun);
        let rests_until =
            self.account.as_ref().map_or(OffsetDateTime::UNIX_EPOCH, |account| account.retry_at);
        Capacity {
            directory: self.settings.directory.clone(),
            at_once: AT_ONCE,
            left: self.settings.orders_per_hour.saturating_sub(begun),
            refilled_at: hour + Duration::hours(1),
            rests_until,
        }
    }
}

/// Fails if one of those that matter here breaks its rule.
fn read_settings(settings: &BTreeMap<String, String>) -> Result<MeshSettings, SettingError> {
    let (mesh, errors) = MeshSettings::default().with(settings);
    let matters = |error: &SettingError| error.key().starts_with(PREFIX) || error.key() == AUTO;
    errors.into_iter().find(matters).map_or(Ok(mesh), Err)
}

/// When the hour began that `now` is in.
pub(super) fn hour(now: OffsetDateTime) -> OffsetDateTime {
    let now = now.to_offset(UtcOffset::UTC);
    let seconds = now.unix_timestamp().rem_euclid(3600);
    now - Duration::seconds(seconds) - Duration::nanoseconds(i64::from(now.nanosecond()))
}
