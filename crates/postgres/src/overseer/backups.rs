//! Whether the database is backed up: making base backups when they are due, and telling of them on every host.

use std::time::Duration;

use time::OffsetDateTime;
use tracing::{info, warn};

use crate::backup::{Backup, take};
use crate::error::DatabaseError;
use crate::host::Host;
use crate::moment::in_words;

/// How soon a base backup that failed is tried again, and how often it is looked whether one is due.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Makes base backups when they are due, and removes old ones: the primary's work, done until aborted.
pub(super) async fn make(host: Host) {
    loop {
        match make_if_due(&host).await {
            Ok(()) => host.status.well("backup"),
            Err(error) => {
                warn!(%error, "failed to back up");
                let cure = "see that the store is up and has space; it is tried again every minute";
                host.status.trouble("backup", format!("there is no new base backup: {error}"), cure);
            }
        }
        tell(&host).await;
        tokio::time::sleep(host.config.retention.every.min(LOOK_EVERY)).await;
    }
}

/// Tells on this host what backups there are, until aborted: the primary may be elsewhere.
pub(super) async fn watch(host: Host) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        tell(&host).await;
    }
}

/// Makes a base backup if it is time for one.
async fn make_if_due(host: &Host) -> Result<(), DatabaseError> {
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

async fn tell(host: &Host) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let told = match host.server.system() {
        Ok(system) => host.catalog.backups().await.map(|all| {
            let own: Vec<Backup> = all.into_iter().filter(|backup| backup.system == system).collect();
            describe(&own, host.config.retention.every, now)
        }),
        Err(error) => Err(error),
    };
    match told {
        Ok(Ok(note)) => {
            host.status.note("backups", note);
            host.status.well("backups");
        }
        Ok(Err(cause)) => host.status.trouble("backups", cause, "see `deisctl journal database` for why"),
        Err(error) => {
            let cure = "see that the store is up; what is in it is needed when all hosts are lost";
            host.status.trouble("backups", format!("nothing is known of backups: {error}"), cure);
        }
    }
}

/// What there is of backups, oldest first; what is wrong with that, as an error.
fn describe(backups: &[Backup], every: Duration, now: i64) -> Result<String, String> {
    let newest = backups.last().ok_or_else(|| "there is no base backup yet".to_owned())?;
    let when = in_words(newest.ended);
    if newest.ended + 2 * every.as_secs().cast_signed() < now {
        return Err(format!("the last base backup is of {when}"));
    }
    let kilobytes = newest.size.div_ceil(1000);
    Ok(format!("the last base backup is of {when}, {kilobytes} kB; the store has {}", backups.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ended: &[i64], now: i64, expected: Result<&str, &str>) {
        let backup = |ended: &i64| Backup {
            system: 1,
            begun: *ended,
            ended: *ended,
            first_wal: String::new(),
            digest: String::new(),
            size: 3_700_001,
        };
        let backups: Vec<Backup> = ended.iter().map(backup).collect();
        let told = describe(&backups, Duration::from_secs(100), now);
        assert_eq!(told, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn backups_are_told_with_their_age() {
        check(&[], 0, Err("there is no base backup yet"));
        let well = "the last base backup is of 1970-01-01 00:01:40+00, 3701 kB; the store has 2";
        check(&[50, 100], 150, Ok(well));
        check(&[100], 301, Err("the last base backup is of 1970-01-01 00:01:40+00"));
    }
}
