//! Settings of the platform, for operators.

use std::collections::BTreeMap;

use deis_model::routing::{Setting, seal, shown};
use deis_runtime::mesh_settings;
use time::OffsetDateTime;

use super::password::random_salt;
use super::{Platform, Refusal};

/// The longest name of a target or key, in bytes, and the longest value.
const MAX_NAME_LENGTH: usize = 128;
const MAX_VALUE_LENGTH: usize = 64 * 1024;

/// The target whose settings all routers are told.
const ROUTER: &str = "router";
/// What the value of the setting `key` of `target` is sealed for; none if it is no secret.
pub(crate) fn purpose(target: &str, key: &str) -> Option<String> {
    let is_secret = target == ROUTER && Setting::find(key).is_some_and(|setting| setting.is_secret);
    is_secret.then(|| format!("setting {target} {key}"))
}

impl Platform {
    /// All settings of `target`; of secrets only that they are set.
    pub async fn settings(&self, target: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let mut settings = self.database.settings(target).await?;
        if target == ROUTER {
            settings.iter_mut().for_each(|(key, value)| *value = shown(key, value).to_owned());
        }
        Ok(settings)
    }

    /// Sets and, where the value is none, removes settings of `target`: all of them, or none if one cannot be.
    pub async fn change_settings(
        &self,
        target: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), Refusal> {
        changes.iter().try_for_each(|(key, value)| check_size(target, key, value.as_deref()))?;
        let mut changes = changes.clone();
        if target == ROUTER {
            hash_passwords(&mut changes)?;
            self.check_mesh(&changes).await?;
        }
        let seal = |(key, value): (&String, &Option<String>)| {
            let sealed = value.as_deref().map(|value| match purpose(target, key) {
                Some(purpose) => self.vault.seal(&purpose, value),
                None => value.to_owned(),
            });
            (key.clone(), sealed)
        };
        Ok(self.database.change_settings(target, &changes.iter().map(seal).collect()).await?)
    }

    /// Refuses what routers could not follow.
    async fn check_mesh(&self, changes: &BTreeMap<String, Option<String>>) -> Result<(), Refusal> {
        let mut settings = self.database.settings(ROUTER).await?;
        for (key, value) in &mut settings {
            if let Some(purpose) = purpose(ROUTER, key) {
                *value = self.vault.unseal(&purpose, value).unwrap_or_default();
            }
        }
        let checked = mesh_settings::check(&settings, changes, OffsetDateTime::now_utc());
        checked.map_err(|error| Refusal::field(&error.key, &error))
    }
}

fn hash_passwords(changes: &mut BTreeMap<String, Option<String>>) -> Result<(), Refusal> {
    for (key, value) in changes {
        if let Some(value) = value {
            *value = seal(key, value, random_salt).map_err(|error| Refusal::field(key, error))?;
        }
    }
    Ok(())
}

fn check_size(target: &str, key: &str, value: Option<&str>) -> Result<(), Refusal> {
    let fits = |name: &str| !name.is_empty() && name.len() <= MAX_NAME_LENGTH;
    match fits(key) && fits(target) && value.is_none_or(|value| value.len() <= MAX_VALUE_LENGTH) {
        true => Ok(()),
        false => {
            Err(Refusal::field("values", format!("{key:.128} of {target:.128} is too long or has no name")))
        }
    }
}
