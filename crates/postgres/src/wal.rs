//! Write-ahead log in the store: each file once, compressed, under a name that tells its content.
//!
//! `<prefix>/<system>/wal/<timeline>/<file>.<SHA-256 of the content>.zst`: the same file archived again is found and
//! left, another content under the same name is seen and refused, and what is read back proves itself.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use deis_store::{ObjectKey, ObjectMeta, ObjectStore};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::error::DatabaseError;

/// The largest file of the log: PostgreSQL's default is 16 MiB.
pub(crate) const WAL_LIMIT: usize = 64 << 20;
/// How hard files are compressed. They are mostly zeros when they are archived for their age.
const LEVEL: i32 = 3;
/// What everything of the database in the store is under.
pub(crate) const PREFIX: &str = "database";

/// A file of the write-ahead log: a segment, a partial one, a history of timelines, or a backup's mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalName(String);

impl WalName {
    /// Parses the names that PostgreSQL gives.
    pub fn parse(text: &str) -> Result<Self, DatabaseError> {
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'))
        };
        let parts: Vec<&str> = text.split('.').collect();
        let known = match parts.as_slice() {
            [segment] | [segment, "partial"] => hex(segment, 24),
            [timeline, "history"] => hex(timeline, 8),
            [segment, offset, "backup"] => hex(segment, 24) && hex(offset, 8),
            _ => false,
        };
        match known {
            true => Ok(Self(text.to_owned())),
            false => Err(DatabaseError::Name { name: text.to_owned() }),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place in the log, whatever the timeline; none for a history.
    pub(crate) fn position(&self) -> Option<&str> {
        self.0.get(8..24)
    }

    fn timeline(&self) -> &str {
        &self.0[..8]
    }
}

/// The log of the databases in one store.
#[derive(Clone)]
pub(crate) struct WalArchive {
    store: Arc<dyn ObjectStore>,
}

impl WalArchive {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Keeps `content` as `name` of the database `system`. When this returns, the store has it for good.
    pub(crate) async fn keep(
        &self,
        system: u64,
        name: &WalName,
        content: Bytes,
    ) -> Result<(), DatabaseError> {
        let digest = hex::encode(Sha256::digest(&content));
        let stem = stem(system, name);
        if let Some(kept) = self.find(&stem).await? {
            return match digest_of(&kept.key, &stem) {
                Some(found) if found == digest => Ok(()),
                _ => Err(DatabaseError::Differs { name: name.as_str().to_owned() }),
            };
        }
        let packed = blocking("compress", move || zstd::bulk::compress(&content, LEVEL)).await?;
        self.store.put_bytes(&key(&format!("{stem}{digest}.zst"))?, packed.into()).await?;
        Ok(())
    }

    /// What was kept as `name` of the database `system`, proven; none if there is nothing.
    pub(crate) async fn read(&self, system: u64, name: &WalName) -> Result<Option<Vec<u8>>, DatabaseError> {
        let stem = stem(system, name);
        let Some(kept) = self.find(&stem).await? else { return Ok(None) };
        let packed = self.store.get_bytes(&kept.key, WAL_LIMIT as u64).await?;
        let content = blocking("decompress", move || zstd::bulk::decompress(&packed, WAL_LIMIT)).await;
        let damaged = |reason: String| DatabaseError::Damaged { key: kept.key.to_string(), reason };
        let content = content.map_err(|error| damaged(error.to_string()))?;
        match digest_of(&kept.key, &stem) {
            Some(digest) if digest == hex::encode(Sha256::digest(&content)) => Ok(Some(content)),
            _ => Err(damaged("its content does not match its name".to_owned())),
        }
    }

    /// Removes what is older than the segment `oldest`, on any timeline. Histories stay: they are small, and say how
    /// timelines follow each other.
    pub(crate) async fn remove_before(&self, system: u64, oldest: &WalName) -> Result<u64, DatabaseError> {
        let mut list = self.store.list(&format!("{PREFIX}/{system}/wal/"), None);
        let mut removed = 0;
        while let Some(object) = list.try_next().await? {
            let file = object.key.last_segment();
            let name = file.strip_suffix(".zst").and_then(|file| file.rsplit_once('.'));
            let Some(Ok(name)) = name.map(|(name, _)| WalName::parse(name)) else { continue };
            if name.position().is_some_and(|position| Some(position) < oldest.position()) {
                self.store.delete(&object.key).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    async fn find(&self, stem: &str) -> Result<Option<ObjectMeta>, DatabaseError> {
        let mut list = self.store.list(stem, None);
        while let Some(object) = list.try_next().await? {
            // `….history.` begins with no other name, but a segment's name is the beginning of its backup's mark.
            if digest_of(&object.key, stem).is_some() {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }
}

fn stem(system: u64, name: &WalName) -> String {
    format!("{PREFIX}/{system}/wal/{}/{}.", name.timeline(), name.as_str())
}

fn digest_of<'a>(key: &'a ObjectKey, stem: &str) -> Option<&'a str> {
    let digest = key.as_str().strip_prefix(stem)?.strip_suffix(".zst")?;
    (digest.len() == 64 && !digest.contains('.')).then_some(digest)
}

/// The key, made of parts that need no escape.
pub(crate) fn key(text: &str) -> Result<ObjectKey, DatabaseError> {
    ObjectKey::parse(text).map_err(|error| DatabaseError::Settings { reason: error.to_string() })
}

/// Runs what takes the processor for a while beside everything else.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, DatabaseError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.and_then(|result| result).map_err(|source| DatabaseError::Io { action, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: bool) {
        assert_eq!(WalName::parse(text).is_ok(), expected, "{text:?}");
    }

    #[test]
    fn only_names_of_the_log_are_taken() {
        check("000000010000000000000002", true);
        check("000000010000000000000002.partial", true);
        check("00000002.history", true);
        check("000000010000000000000002.00000028.backup", true);
        for text in
            ["", "0000000100000000000000", "00000001000000000000000g", "../etc/passwd", "00000002.history/x"]
        {
            check(text, false);
        }
    }

    async fn kept(names: &[&str]) -> WalArchive {
        let archive = WalArchive::new(deis_store::open("memory://").await.unwrap());
        for name in names {
            let content = Bytes::from(format!("content of {name}"));
            archive.keep(7, &WalName::parse(name).unwrap(), content).await.unwrap();
        }
        archive
    }

    #[tokio::test]
    async fn a_file_kept_again_is_the_same_or_is_refused() {
        let name = WalName::parse("000000010000000000000002").unwrap();
        let archive = kept(&[name.as_str(), "000000010000000000000002.00000028.backup"]).await;
        let same = Bytes::from(format!("content of {}", name.as_str()));
        archive.keep(7, &name, same.clone()).await.unwrap();
        let refused = archive.keep(7, &name, Bytes::from_static(b"other")).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::Differs { .. }), "{refused}");
        assert_eq!(archive.read(7, &name).await.unwrap().as_deref(), Some(&same[..]));
        assert_eq!(archive.read(8, &name).await.unwrap(), None);
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let name = WalName::parse("000000010000000000000002").unwrap();
        let archive = kept(&[name.as_str()]).await;
        let object = archive.find(&stem(7, &name)).await.unwrap().unwrap();
        let other = zstd::bulk::compress(b"something else", LEVEL).unwrap();
        archive.store.put_bytes(&object.key, other.into()).await.unwrap();
        let refused = archive.read(7, &name).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::Damaged { .. }), "{refused}");
    }

    #[tokio::test]
    async fn what_no_backup_needs_is_removed_on_every_timeline() {
        let old = ["000000010000000000000001", "000000020000000000000001.partial"];
        let needed = ["000000010000000000000002", "000000020000000000000003", "00000002.history"];
        let archive = kept(&[&old[..], &needed[..]].concat()).await;
        let oldest = WalName::parse("000000010000000000000002").unwrap();
        assert_eq!(archive.remove_before(7, &oldest).await.unwrap(), 2);
        for name in needed {
            assert!(archive.read(7, &WalName::parse(name).unwrap()).await.unwrap().is_some(), "{name}");
        }
    }
}
