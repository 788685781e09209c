//! Write-ahead log in the store: each file once, compressed, under a name that tells its content.
//!
//! `<prefix>/<system>/wal/<timeline>/<file>.<SHA-256 of the content>.zst`: the same file archived again is found and
//! left, another content under the same name is seen and refused, and what is read back proves itself.
//!
//! A host that lost its place may have a segment that goes on where another host's ends, at the end of a timeline. Of
//! the two the longer one is kept, which also does for whoever wanted the shorter.

mod name;
mod segment;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use deis_store::{ObjectKey, ObjectMeta, ObjectStore};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use crate::error::DatabaseError;

use segment::{Extent, extent};

pub use name::WalName;

/// The largest file of the log: PostgreSQL's default is 16 MiB.
pub(crate) const WAL_LIMIT: usize = 64 << 20;
/// How hard files are compressed. They are mostly zeros when they are archived for their age.
const LEVEL: i32 = 3;
/// What everything of the database in the store is under.
pub(crate) const PREFIX: &str = "database";

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
        let kept = self.find(&stem).await?;
        let mut shorter = Vec::new();
        for object in kept {
            if digest_of(&object.key, &stem) == Some(&digest) {
                return Ok(());
            }
            match self.compare(&object, &stem, name, &content).await? {
                Extent::Longer => shorter.push(object.key),
                Extent::Equal | Extent::Shorter => return Ok(()),
                Extent::Apart => return Err(DatabaseError::Differs { name: name.as_str().to_owned() }),
            }
        }
        let packed = blocking("compress", move || zstd::bulk::compress(&content, LEVEL)).await?;
        self.store.put_bytes(&key(&format!("{stem}{digest}.zst"))?, packed.into()).await?;
        for key in shorter {
            self.store.delete(&key).await?;
        }
        Ok(())
    }

    /// How far `content` goes, compared with what is kept as `object`.
    async fn compare(
        &self,
        object: &ObjectMeta,
        stem: &str,
        name: &WalName,
        content: &[u8],
    ) -> Result<Extent, DatabaseError> {
        match name.is_segment() {
            true => Ok(extent(content, &self.fetch(object, stem).await?)),
            false => Ok(Extent::Apart),
        }
    }

    /// What was kept as `name` of the database `system`, proven; none if there is nothing.
    pub(crate) async fn read(&self, system: u64, name: &WalName) -> Result<Option<Vec<u8>>, DatabaseError> {
        let stem = stem(system, name);
        let mut longest: Option<Vec<u8>> = None;
        // One, unless whoever replaced a shorter one was interrupted.
        for object in self.find(&stem).await? {
            let content = self.fetch(&object, &stem).await?;
            if longest.as_ref().is_none_or(|longest| extent(&content, longest) == Extent::Longer) {
                longest = Some(content);
            }
        }
        Ok(longest)
    }

    /// The content of `object`, proven by its name.
    async fn fetch(&self, object: &ObjectMeta, stem: &str) -> Result<Vec<u8>, DatabaseError> {
        let packed = self.store.get_bytes(&object.key, WAL_LIMIT as u64).await?;
        let content = blocking("decompress", move || zstd::bulk::decompress(&packed, WAL_LIMIT)).await;
        let damaged = |reason: String| DatabaseError::Damaged { key: object.key.to_string(), reason };
        let content = content.map_err(|error| damaged(error.to_string()))?;
        match digest_of(&object.key, stem) {
            Some(digest) if digest == hex::encode(Sha256::digest(&content)) => Ok(content),
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

    async fn find(&self, stem: &str) -> Result<Vec<ObjectMeta>, DatabaseError> {
        // `….history.` begins with no other name, but a segment's name is the beginning of its backup's mark.
        let found: Vec<ObjectMeta> = self.store.list(stem, None).try_collect().await?;
        Ok(found.into_iter().filter(|object| digest_of(&object.key, stem).is_some()).collect())
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
    async fn of_a_segment_that_two_hosts_have_the_longer_one_is_kept() {
        let name = WalName::parse("000000010000000000000002").unwrap();
        let archive = kept(&[]).await;
        let (short, long) = (segment::tests::segment(3, 100), segment::tests::segment(3, 200));
        for content in [&short, &long, &short] {
            archive.keep(7, &name, content.clone().into()).await.unwrap();
        }
        assert_eq!(archive.read(7, &name).await.unwrap(), Some(long.clone()));
        assert_eq!(archive.find(&stem(7, &name)).await.unwrap().len(), 1);
        let mut other = long;
        other[50] = 7;
        let refused = archive.keep(7, &name, other.into()).await.unwrap_err();
        assert!(matches!(refused, DatabaseError::Differs { .. }), "{refused}");
    }

    #[tokio::test]
    async fn damage_is_noticed() {
        let name = WalName::parse("000000010000000000000002").unwrap();
        let archive = kept(&[name.as_str()]).await;
        let object = archive.find(&stem(7, &name)).await.unwrap().remove(0);
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
