//! Which backups there are, and which may go.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deis_store::{ByteStream, ObjectKey, ObjectStore};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::config::Retention;
use crate::error::DatabaseError;
use crate::wal::{PREFIX, WalArchive, WalName, key};

/// What marks a backup as whole.
const MARK: &str = "backup.json";
/// The longest mark that is read.
const MARK_LIMIT: u64 = 64 << 10;

/// One base backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Backup {
    /// The database it is of.
    pub(crate) system: u64,
    /// When it was begun, in seconds since 1970: its name.
    pub(crate) begun: i64,
    /// When it was whole: it can be restored as of any later time.
    pub(crate) ended: i64,
    /// The first file of the log that it needs.
    pub(crate) first_wal: String,
    /// SHA-256 of the compressed archive, in hex.
    pub(crate) digest: String,
    /// Bytes of the compressed archive.
    pub(crate) size: u64,
}

impl Backup {
    fn folder(&self) -> String {
        folder(self.system, self.begun)
    }
}

pub(crate) fn folder(system: u64, begun: i64) -> String {
    format!("{PREFIX}/{system}/base/{begun:012}")
}

/// The backups in one store.
#[derive(Clone)]
pub(crate) struct Catalog {
    store: Arc<dyn ObjectStore>,
}

impl Catalog {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Stores the archive of a backup that is begun.
    pub(crate) async fn put(
        &self,
        system: u64,
        begun: i64,
        archive: ByteStream,
    ) -> Result<u64, DatabaseError> {
        let key = key(&format!("{}/base.tar.zst", folder(system, begun)))?;
        Ok(self.store.put(&key, archive).await?.size)
    }

    /// Marks a backup as whole.
    pub(crate) async fn finish(&self, backup: &Backup) -> Result<(), DatabaseError> {
        let mark = serde_json::to_vec(backup).map_err(|error| settings(&error))?;
        self.store.put_bytes(&key(&format!("{}/{MARK}", backup.folder()))?, Bytes::from(mark)).await?;
        Ok(())
    }

    /// The compressed archive of a backup.
    pub(crate) async fn open(&self, backup: &Backup) -> Result<ByteStream, DatabaseError> {
        Ok(self.store.get(&key(&format!("{}/base.tar.zst", backup.folder()))?).await?.content)
    }

    /// All whole backups, oldest first.
    pub(crate) async fn backups(&self) -> Result<Vec<Backup>, DatabaseError> {
        let mut found = Vec::new();
        for mark in self.marks().await? {
            let text = self.store.get_bytes(&mark, MARK_LIMIT).await?;
            let backup = serde_json::from_slice::<Backup>(&text);
            let damaged = |error: serde_json::Error| DatabaseError::Damaged {
                key: mark.to_string(),
                reason: error.to_string(),
            };
            found.push(backup.map_err(damaged)?);
        }
        found.sort_by_key(|backup| backup.ended);
        Ok(found)
    }

    async fn marks(&self) -> Result<Vec<ObjectKey>, DatabaseError> {
        let mut marks = Vec::new();
        for system in self.systems().await? {
            let mut list = self.store.list(&format!("{PREFIX}/{system}/base/"), None);
            while let Some(object) = list.try_next().await? {
                if object.key.last_segment() == MARK {
                    marks.push(object.key);
                }
            }
        }
        Ok(marks)
    }

    /// The databases that the store has anything of. Skips from one to the next: their logs are long.
    async fn systems(&self) -> Result<Vec<u64>, DatabaseError> {
        let prefix = format!("{PREFIX}/");
        let (mut systems, mut after) = (Vec::new(), None);
        while let Some(object) = self.store.list(&prefix, after.as_ref()).try_next().await? {
            let rest = object.key.as_str().strip_prefix(&prefix).unwrap_or_default();
            let (system, _) = rest.split_once('/').unwrap_or((rest, ""));
            if let Ok(number) = system.parse() {
                systems.push(number);
            }
            // `~` comes after every character of our keys.
            after = Some(key(&format!("{prefix}{system}/~"))?);
        }
        Ok(systems)
    }

    /// The newest backup from which the state at `until` can be restored.
    pub(crate) async fn newest(
        &self,
        until: Option<OffsetDateTime>,
    ) -> Result<Option<Backup>, DatabaseError> {
        let fits = |backup: &Backup| until.is_none_or(|until| backup.ended <= until.unix_timestamp());
        Ok(self.backups().await?.into_iter().rfind(fits))
    }

    /// Removes the backups of `system` that are too old, and the log that only they needed.
    pub(crate) async fn clean(
        &self,
        system: u64,
        retention: &Retention,
        now: i64,
    ) -> Result<(), DatabaseError> {
        let all: Vec<Backup> =
            self.backups().await?.into_iter().filter(|backup| backup.system == system).collect();
        let (old, kept) = all.split_at(expired(&all, retention, now));
        for backup in old {
            // The mark first: half a backup must not look like a whole one.
            self.store.delete(&key(&format!("{}/{MARK}", backup.folder()))?).await?;
            self.store.delete(&key(&format!("{}/base.tar.zst", backup.folder()))?).await?;
        }
        let Some(oldest) = kept.first() else { return Ok(()) };
        let oldest = WalName::parse(&oldest.first_wal)?;
        WalArchive::new(self.store.clone()).remove_before(system, &oldest).await?;
        Ok(())
    }
}

/// How many of `backups`, oldest first, may go.
fn expired(backups: &[Backup], retention: &Retention, now: i64) -> usize {
    let keep_for = Duration::as_secs(&retention.keep_for).cast_signed();
    let spare = backups.len().saturating_sub(retention.keep.max(1));
    backups.iter().take(spare).take_while(|backup| backup.ended < now - keep_for).count()
}

fn settings(error: &dyn std::error::Error) -> DatabaseError {
    DatabaseError::Settings { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(system: u64, ended: i64) -> Backup {
        let first_wal = format!("0000000100000000{ended:08X}");
        Backup { system, begun: ended, ended, first_wal, digest: String::new(), size: 0 }
    }

    fn check(ended: &[i64], keep: usize, keep_for: u64, expected: usize) {
        let backups: Vec<Backup> = ended.iter().map(|ended| backup(1, *ended)).collect();
        let retention = Retention { every: Duration::ZERO, keep, keep_for: Duration::from_secs(keep_for) };
        assert_eq!(expired(&backups, &retention, 100), expected, "{ended:?}");
    }

    #[test]
    fn backups_go_when_they_are_old_and_enough_are_left() {
        check(&[10, 20, 90], 2, 50, 1);
        check(&[10, 20, 90], 1, 50, 2);
        check(&[10, 20, 90], 3, 50, 0);
        check(&[60, 80, 90], 1, 50, 0);
        check(&[10], 0, 0, 0);
    }

    #[tokio::test]
    async fn the_newest_backup_that_was_whole_in_time_is_found_among_all_databases() {
        let store = deis_store::open("memory://").await.unwrap();
        let catalog = Catalog::new(store.clone());
        assert_eq!(catalog.newest(None).await.unwrap(), None);
        for backup in [backup(12, 30), backup(3, 10), backup(12, 20)] {
            catalog.finish(&backup).await.unwrap();
        }
        WalArchive::new(store)
            .keep(12, &WalName::parse("00000002.history").unwrap(), Bytes::from_static(b"x"))
            .await
            .unwrap();
        assert_eq!(catalog.systems().await.unwrap(), [12, 3]);
        assert_eq!(catalog.newest(None).await.unwrap(), Some(backup(12, 30)));
        let until = OffsetDateTime::from_unix_timestamp(25).unwrap();
        assert_eq!(catalog.newest(Some(until)).await.unwrap(), Some(backup(12, 20)));
    }

    #[tokio::test]
    async fn cleaning_takes_the_log_that_only_old_backups_needed() {
        let store = deis_store::open("memory://").await.unwrap();
        let (catalog, archive) = (Catalog::new(store.clone()), WalArchive::new(store));
        for ended in [10, 90] {
            let backup = backup(1, ended);
            catalog.finish(&backup).await.unwrap();
            let name = WalName::parse(&backup.first_wal).unwrap();
            archive.keep(1, &name, Bytes::from_static(b"log")).await.unwrap();
        }
        let retention = Retention { every: Duration::ZERO, keep: 1, keep_for: Duration::from_secs(50) };
        catalog.clean(1, &retention, 100).await.unwrap();
        assert_eq!(catalog.backups().await.unwrap(), [backup(1, 90)]);
        let gone = WalName::parse(&backup(1, 10).first_wal).unwrap();
        assert_eq!(archive.read(1, &gone).await.unwrap(), None);
    }
}
