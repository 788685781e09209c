//! Automatic certificates, as those see them who work on the apps that they are for.

use std::collections::BTreeMap;

use deis_database::Slice;
use deis_model::acme::{Condition, Progress};
use deis_model::{AppId, User};
use time::OffsetDateTime;

use super::{Platform, Refusal};
use crate::acme::{Named, StandingError};

/// The automatic certificate of one name, there or awaited.
#[derive(Clone, Debug)]
pub struct Automatic {
    /// The name.
    pub host: String,
    /// The app that it leads to.
    pub app: AppId,
    /// That app's owner.
    pub owner: String,
    /// How it stands.
    pub condition: Condition,
    /// The end of the one that is served.
    pub expires: Option<OffsetDateTime>,
    /// Why the last order failed, if none succeeded since.
    pub problem: Option<String>,
    /// When the next order begins at the soonest.
    pub next: Option<OffsetDateTime>,
}

impl Platform {
    /// The automatic certificates of the apps on which the caller may work, by name.
    pub async fn automatic_certificates(&self, caller: &User) -> Result<Vec<Automatic>, Refusal> {
        let now = OffsetDateTime::now_utc();
        let apps = self.database.apps_of(&caller.username, Slice::first(u32::MAX)).await?.items;
        let owners: BTreeMap<AppId, String> = apps.into_iter().map(|app| (app.id, app.owner)).collect();
        let named = Named::read(&self.database, &self.vault, &self.domain, now).await;
        let named = named.map_err(|error| match error {
            StandingError::Database(error) => error.into(),
            StandingError::Settings(error) => Refusal::Internal(error.to_string()),
        })?;
        let own = named.names.into_iter().filter_map(|(host, name)| {
            let owner = owners.get(&name.app)?.clone();
            Some((host, name, owner))
        });
        let own: Vec<_> = own.collect();
        let hosts: Vec<String> = own.iter().map(|(host, ..)| host.clone()).collect();
        let states = self.database.acme_states_of(&hosts).await?;
        let directory = named.settings.directory;
        let certificates = own.into_iter().filter_map(|(host, name, owner)| {
            let state = states.get(&host);
            let progress = state.map(|state| &state.progress).filter(|found| found.idle_since.is_none());
            let held = progress.and_then(|progress| progress.certificate.as_ref());
            // Of a name that is to have none any more, only one that is still served is worth a line.
            if name.proof.is_none() && held.is_none() {
                return None;
            }
            let due = |progress: &Progress| progress.due(&host, now, &directory);
            Some(Automatic {
                condition: Condition::of(progress, now),
                expires: held.map(|held| held.validity.not_after),
                problem: state.and_then(|state| state.problem.clone()),
                next: progress.filter(|_| name.proof.is_some()).map(due),
                app: name.app,
                owner,
                host,
            })
        });
        Ok(certificates.collect())
    }

    /// The automatic certificate for `host`, of an app on which the caller may work.
    pub async fn automatic_certificate(&self, caller: &User, host: &str) -> Result<Automatic, Refusal> {
        let found = self.automatic_certificates(caller).await?.into_iter();
        let mut found = found.filter(|certificate| certificate.host.eq_ignore_ascii_case(host));
        found.next().ok_or(Refusal::NotFound)
    }
}
