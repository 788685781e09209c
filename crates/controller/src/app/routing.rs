//! Routing settings of apps: how routers treat their visitors.

use std::collections::BTreeMap;

use deis_database::DatabaseError;
use deis_model::permission::Action;
use deis_model::routing::{AppSettings, MeshSettings, PORT, SettingError, seal, shown};
use deis_model::{FieldErrors, User};

use super::password::random_salt;
use super::{Platform, Refusal};
use crate::routes::open_settings;

impl Platform {
    /// The routing settings of an app: key → value, those of secrets hidden.
    pub async fn routing(&self, caller: &User, id: &str) -> Result<BTreeMap<String, String>, Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        Ok(hidden(self.database.app_settings(&app).await?))
    }

    /// Sets and, where the value is none, removes routing settings of an app: all of them, or none if one cannot be.
    /// Waits until routers go by them. All settings that the app has then.
    pub async fn change_routing(
        &self,
        caller: &User,
        id: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let changes = sealed(changes)?;
        let mesh = MeshSettings::default().with(&open_settings(&self.database, &self.vault).await?).0;
        // No two apps may have one port.
        let changed = self.database.change_app_settings(&app, PORT, |settings| {
            apply(settings, &changes);
            let settings = AppSettings::parse(settings)?;
            // Who has one from before is not kept from changing anything else.
            if changes.contains_key(PORT) { mesh.check_port(&settings) } else { Ok(()) }
        });
        let settings = match changed.await {
            Err(DatabaseError::Taken) => {
                return Err(Refusal::field(PORT, "Another app has this port."));
            }
            changed => changed?.map_err(|error| refusal(&error))?,
        };
        if !changes.is_empty() {
            self.events.say(&app, summary(&caller.username, &changes));
            self.await_routers(&app).await;
        }
        Ok(hidden(settings))
    }
}

/// The changes as they are stored: passwords as hashes, ports as numbers are written.
fn sealed(changes: BTreeMap<String, Option<String>>) -> Result<BTreeMap<String, Option<String>>, Refusal> {
    let mut errors = FieldErrors::default();
    let seal = |(key, value): (String, Option<String>)| {
        let value = value.and_then(|value| match seal(&key, &value, random_salt) {
            Ok(value) => Some(canonical(&key, value)),
            Err(error) => {
                errors.add(&key, error);
                None
            }
        });
        (key, value)
    };
    let sealed = changes.into_iter().map(seal).collect();
    Ok(errors.into_result(sealed)?)
}

fn canonical(key: &str, value: String) -> String {
    match value.parse::<u16>() {
        Ok(port) if key == PORT => port.to_string(),
        _ => value,
    }
}

fn apply(settings: &mut BTreeMap<String, String>, changes: &BTreeMap<String, Option<String>>) {
    for (key, value) in changes {
        match value {
            Some(value) => drop(settings.insert(key.clone(), value.clone())),
            None => drop(settings.remove(key)),
        }
    }
    // Any number of apps may have none.
    if settings.get(PORT).is_some_and(|port| port == "0") {
        settings.remove(PORT);
    }
}

fn refusal(error: &SettingError) -> Refusal {
    Refusal::field(error.key(), error)
}

fn hidden(mut settings: BTreeMap<String, String>) -> BTreeMap<String, String> {
    settings.iter_mut().for_each(|(key, value)| *value = shown(key, value).to_owned());
    settings
}

/// For the app's log; without values, which may be secrets.
fn summary(username: &str, changes: &BTreeMap<String, Option<String>>) -> String {
    let keys = |is_set: bool| {
        let keys = changes.iter().filter(|(_, value)| value.is_some() == is_set);
        keys.map(|(key, _)| key.as_str()).collect::<Vec<_>>().join(", ")
    };
    match (keys(true), keys(false)) {
        (set, unset) if unset.is_empty() => format!("{username} set routing {set}"),
        (set, unset) if set.is_empty() => format!("{username} unset routing {unset}"),
        (set, unset) => format!("{username} set routing {set} and unset {unset}"),
    }
}
