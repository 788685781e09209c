//! Watching over the database once it runs: who is the primary, who copies it, what is wrong, whether it is backed up.

use std::time::Duration;

use deis_runtime::Shutdown;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::backup::take;
use crate::config::Config;
use crate::error::DatabaseError;
use crate::host::Host;
use crate::patroni::{PatroniMember, dynamic};

/// How often the members are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How soon a base backup that failed is tried again.
const RETRY_BACKUP: Duration = Duration::from_secs(60);
/// A copy that is so many bytes behind is told of.
const LAG_LIMIT: u64 = 64 << 20;

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
        while !shutdown.is_cancelled() {
            self.look(&mut reign).await;
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
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
        if reign.backup.as_ref().is_none_or(JoinHandle::is_finished) {
            reign.backup = Some(self.back_up());
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
        let role = own.map_or_else(|| "not yet a member".to_owned(), |own| describe(own, members));
        self.host.status.listens_on(format!("{address}:{} ({role})", self.host.config.ports.postgres));
        match trouble(&self.host.config, members) {
            Some((cause, cure)) => self.host.status.trouble("database", cause, cure),
            None => self.host.status.well("database"),
        }
    }

    /// Makes base backups when they are due, and removes old ones.
    fn back_up(&self) -> JoinHandle<()> {
        let host = self.host.clone();
        tokio::spawn(async move {
            let wait = match back_up(&host).await {
                Ok(()) => {
                    host.status.well("backup");
                    host.config.retention.every.min(RETRY_BACKUP)
                }
                Err(error) => {
                    warn!(%error, "failed to back up");
                    let cure = "see that the store is up and has space; it is tried again every minute";
                    host.status.trouble("backup", format!("there is no new base backup: {error}"), cure);
                    RETRY_BACKUP
                }
            };
            tokio::time::sleep(wait).await;
        })
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

/// Makes a base backup if it is time for one.
async fn back_up(host: &Host) -> Result<(), DatabaseError> {
    let Host { config, layout, server, catalog, .. } = host;
    let system = server.system()?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let newest = catalog.backups().await?.into_iter().rfind(|backup| backup.system == system);
    let every = config.retention.every.as_secs().cast_signed();
    // Older backups do not lead to what comes after an earlier state was gone back to.
    let restored = layout.restore_target().exists();
    if restored || newest.is_none_or(|newest| newest.begun + every <= now) {
        let backup = take(server, catalog).await?;
        info!(size_bytes = backup.size, first_wal = %backup.first_wal, "made a base backup");
        let _ = std::fs::remove_file(layout.restore_target());
    }
    catalog.clean(system, &config.retention, now).await
}

pub(crate) fn is_primary(members: &[PatroniMember], host: &str) -> bool {
    members.iter().any(|member| member.name == host && member.is_primary() && member.state == "running")
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

fn describe(own: &PatroniMember, members: &[PatroniMember]) -> String {
    let synchronous = members.iter().find(|member| member.role == "sync_standby");
    match (own.is_primary(), own.role.as_str()) {
        (true, _) => match synchronous {
            Some(copy) => format!("primary, every write also on {}", copy.name),
            None => "primary".to_owned(),
        },
        (false, "sync_standby") => "copy with every write".to_owned(),
        (false, _) => format!("copy, {}, {} bytes behind", own.state, own.lag.as_u64().unwrap_or_default()),
    }
}

/// What is wrong with the members, and the cure.
fn trouble(config: &Config, members: &[PatroniMember]) -> Option<(String, &'static str)> {
    if !members.iter().any(|member| member.is_primary() && member.state == "running") {
        return Some((
            "no host is the primary; writes wait".to_owned(),
            "start the database on more of its hosts",
        ));
    }
    for host in &config.members {
        let cure = "see the database's journal on that host; if the host is gone for good, remove it";
        match members.iter().find(|member| member.name == host.name) {
            None => return Some((format!("{} has no copy of the database", host.name), cure)),
            Some(member) if !member.is_primary() && !member.follows() => {
                return Some((format!("{} does not copy the primary ({})", host.name, member.state), cure));
            }
            Some(member) if member.lag.as_u64().is_some_and(|lag| lag > LAG_LIMIT) => {
                let cause = format!("{} is {} MB behind the primary", host.name, member.lag.as_u64()? >> 20);
                return Some((cause, "see whether that host's disk or network is slow"));
            }
            Some(_) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn member(name: &str, role: &str, state: &str, lag: u64) -> PatroniMember {
        PatroniMember { name: name.into(), role: role.into(), state: state.into(), lag: json!(lag) }
    }

    fn check(members: &[PatroniMember], expected: Option<&str>) {
        let config = crate::config::tests::config("a=127.0.0.1,b=127.0.0.2");
        assert_eq!(trouble(&config, members).map(|(cause, _)| cause).as_deref(), expected);
    }

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let (primary, copy) = (member("a", "leader", "running", 0), member("b", "replica", "running", 5));
        check(&[primary.clone(), copy.clone()], None);
        check(std::slice::from_ref(&copy), Some("no host is the primary; writes wait"));
        check(std::slice::from_ref(&primary), Some("b has no copy of the database"));
        let stopped = member("b", "replica", "stopped", 0);
        check(&[primary.clone(), stopped], Some("b does not copy the primary (stopped)"));
        let slow = member("b", "sync_standby", "running", 100 << 20);
        check(&[primary, slow], Some("b is 100 MB behind the primary"));
    }

    #[test]
    fn settings_hold_when_all_that_is_wanted_is_there() {
        let current = json!({ "ttl": 10, "more": 1, "postgresql": { "parameters": { "a": "1", "b": "2" } } });
        assert!(holds(&current, &json!({ "ttl": 10, "postgresql": { "parameters": { "b": "2" } } })));
        assert!(!holds(&current, &json!({ "postgresql": { "parameters": { "c": "2" } } })));
        assert!(!holds(&current, &json!({ "ttl": 11 })));
    }
}
