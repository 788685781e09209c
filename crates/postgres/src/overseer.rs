//! Watching over the database once it runs: who is the primary, who copies it, what is wrong, whether it is backed up.

mod backups;
mod condition;

use std::time::Duration;

use deis_runtime::Shutdown;
use serde_json::Value;
use tokio::task::JoinHandle;
use tracing::info;

use crate::error::DatabaseError;
use crate::host::Host;
use crate::patroni::{PatroniMember, dynamic};

use condition::{role, roles, trouble};

pub(crate) use condition::{is_primary, is_well};

/// How often the members are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Watches one member.
pub(crate) struct Overseer {
    pub(crate) host: Host,
}

/// What a primary has done since it became one.
#[derive(Default)]
struct Reign {
    made_platform: bool,
    backup: Option<JoinHandle<()>>,
}

impl Overseer {
    /// Looks again and again until `shutdown`.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut reign = Reign::default();
        let watching = tokio::spawn(backups::watch(self.host.clone()));
        while !shutdown.is_cancelled() {
            self.look(&mut reign).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        watching.abort();
        reign.end();
    }

    async fn look(&self, reign: &mut Reign) {
        let members = match self.host.patroni.members().await {
            Ok(members) => members,
            Err(error) => {
                return self.host.status.trouble("database", error, "see the journal of the database role");
            }
        };
        self.tell(&members);
        self.complete(&members);
        if !is_primary(&members, &self.host.config.host) {
            reign.end();
            *reign = Reign::default();
            if members.iter().any(PatroniMember::is_primary) {
                self.forget_restore();
            }
            return;
        }
        match self.reign(&members, reign).await {
            Ok(()) => self.host.status.well("settings"),
            Err(error) => self.host.status.trouble("settings", error, "see the journal of the database role"),
        }
    }

    /// What the primary has to do.
    async fn reign(&self, members: &[PatroniMember], reign: &mut Reign) -> Result<(), DatabaseError> {
        if !reign.made_platform {
            self.host.server.make_platform(&self.host.config).await?;
            reign.made_platform = true;
            info!(host = %self.host.config.host, "this host is the primary");
        }
        self.adjust(members).await?;
        if reign.backup.is_none() {
            reign.backup = Some(tokio::spawn(backups::make(self.host.clone())));
        }
        Ok(())
    }

    /// Has all members follow the settings of the primary's host.
    async fn adjust(&self, members: &[PatroniMember]) -> Result<(), DatabaseError> {
        let current = self.host.patroni.dynamic().await?;
        let mut wanted = dynamic(&self.host.config);
        let strict = |settings: &Value| settings["synchronous_mode_strict"] == Value::Bool(true);
        // Else every write would wait until the first copy is made.
        if strict(&wanted) && !strict(&current) && !members.iter().any(PatroniMember::follows) {
            wanted["synchronous_mode_strict"] = Value::Bool(false);
        }
        match holds(&current, &wanted) {
            true => Ok(()),
            false => self.host.patroni.change(&wanted).await,
        }
    }

    /// Notes what the members are like.
    fn tell(&self, members: &[PatroniMember]) {
        let own = members.iter().find(|member| member.name == self.host.config.host);
        let address = self.host.config.this_member().address;
        let role = own.map_or_else(|| "not yet a member".to_owned(), role);
        self.host.status.listens_on(format!("{address}:{} ({role})", self.host.config.ports.postgres));
        self.host.status.note("database", roles(members));
        match trouble(&self.host.config, members) {
            Some((cause, cure)) => self.host.status.trouble("database", cause, &cure),
            None => self.host.status.well("database"),
        }
        if is_well(members, &self.host.config.host) {
            self.host.status.well("patroni");
        }
    }

    /// What is here is a whole database once it is the primary or follows it.
    fn complete(&self, members: &[PatroniMember]) {
        let own = members.iter().find(|member| member.name == self.host.config.host);
        if own.is_some_and(|own| own.follows() || is_primary(members, &own.name)) {
            let _ = std::fs::remove_file(self.host.layout.incomplete());
        }
    }

    /// What was to be restored has been.
    fn forget_restore(&self) {
        let _ = std::fs::remove_file(self.host.layout.restore_target());
    }
}

impl Reign {
    fn end(&mut self) {
        if let Some(backup) = self.backup.take() {
            backup.abort();
        }
    }
}

/// Whether `current` says all that `wanted` says.
fn holds(current: &Value, wanted: &Value) -> bool {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| current.get(key).is_some_and(|current| holds(current, wanted)))
        }
        _ => current == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_hold_when_all_that_is_wanted_is_there() {
        let current = json!({ "ttl": 10, "more": 1, "postgresql": { "parameters": { "a": "1", "b": "2" } } });
        assert!(holds(&current, &json!({ "ttl": 10, "postgresql": { "parameters": { "b": "2" } } })));
        assert!(!holds(&current, &json!({ "postgresql": { "parameters": { "c": "2" } } })));
        assert!(!holds(&current, &json!({ "ttl": 11 })));
    }
}
