//! Objects whose names are never used twice, so that no late deletion can hit what was written after it was decided.
//!
//! Several processes take pushes and one collects garbage, and nothing locks them out of each other's way: a store's
//! conditions and locks differ too much between servers to be trusted. Instead:
//!
//! - Nothing is written over. A tag that moves, a manifest pushed again, a blob that a repository gets again: each is
//!   one more object in the same folder, and the last one counts.
//! - Whoever builds on something that is there first makes it young by one more entry, unless it is [`is_fresh`].
//! - A collection removes what was old when the collection began, whatever happened since.
//!
//! So what a push relies on is younger than a quarter of the grace period, and what a collection removes is older than
//! all of it: between them there is room for the push to finish, and for clocks that differ. Servers of S3 refuse
//! requests whose clock is more than 15 minutes off, so at worst 15 of 60 minutes remain.

use crate::{layout, stamp::Stamp};
use bytes::Bytes;
use deis_store::{ObjectMeta, ObjectStore, StoreError};
use futures::TryStreamExt;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// What part of the grace period makes a thing too old to be built on as it is.
const FRESH_PART: u32 = 4;

/// One object of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) stamp: Stamp,
    /// What the name says after the stamp; often nothing.
    pub(crate) detail: String,
    pub(crate) meta: ObjectMeta,
}

impl Entry {
    /// Takes the object's name apart; nothing when it is not one of ours.
    pub(crate) fn parse(meta: ObjectMeta) -> Option<Self> {
        let (stamp, detail) = match meta.key.last_segment().split_once('.') {
            Some((stamp, detail)) => (stamp, detail.to_owned()),
            None => (meta.key.last_segment(), String::new()),
        };
        Some(Self { stamp: Stamp::parse(stamp)?, detail, meta })
    }
}

/// All entries of a folder, the last one last.
pub(crate) async fn all(store: &dyn ObjectStore, folder: &str) -> Result<Vec<Entry>, StoreError> {
    let metas: Vec<_> = store.list(folder, None).try_collect().await?;
    Ok(metas.into_iter().filter_map(Entry::parse).collect())
}

/// The entry of a folder that counts; nothing when it has none. One call to the store.
pub(crate) async fn last(store: &dyn ObjectStore, folder: &str) -> Result<Option<Entry>, StoreError> {
    Ok(all(store, folder).await?.pop())
}

/// What the folders below `prefix` hold, by their names; folders that hold nothing are none.
pub(crate) async fn folders(
    store: &dyn ObjectStore,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<Entry>>, StoreError> {
    let mut folders = BTreeMap::<String, Vec<Entry>>::new();
    let mut metas = store.list(prefix, None);
    while let Some(meta) = metas.try_next().await? {
        let below = meta.key.as_str().strip_prefix(prefix).and_then(|name| name.rsplit_once('/'));
        let folder = below.map(|(folder, _)| folder.to_owned());
        if let (Some(folder), Some(entry)) = (folder, Entry::parse(meta)) {
            folders.entry(folder).or_default().push(entry);
        }
    }
    Ok(folders)
}

/// Adds an entry to a folder, to be the last one.
pub(crate) async fn add(
    store: &dyn ObjectStore,
    folder: &str,
    before: &[Entry],
    detail: &str,
    bytes: Bytes,
) -> Result<(), StoreError> {
    let stamp = Stamp::behind(before.last().map(|entry| &entry.stamp));
    let dot = if detail.is_empty() { "" } else { "." };
    store.put_bytes(&layout::object(folder, &format!("{stamp}{dot}{detail}")), bytes).await?;
    Ok(())
}

/// Removes entries; those that are gone already are as they should be.
pub(crate) async fn remove(store: &dyn ObjectStore, entries: &[Entry]) -> Result<(), StoreError> {
    for entry in entries {
        store.delete(&entry.meta.key).await?;
    }
    Ok(())
}

/// Removes all entries of a folder.
pub(crate) async fn remove_all(store: &dyn ObjectStore, folder: &str) -> Result<(), StoreError> {
    remove(store, &all(store, folder).await?).await
}

/// Whether the object may be built on as it is, for a push that ends within the grace period.
pub(crate) fn is_fresh(meta: &ObjectMeta, grace: Duration) -> bool {
    !is_old(meta, SystemTime::now(), grace / FRESH_PART)
}

/// Whether the object had been there for at least `age` by `moment`. A clock set back makes nothing old.
pub(crate) fn is_old(meta: &ObjectMeta, moment: SystemTime, age: Duration) -> bool {
    moment.duration_since(meta.modified).is_ok_and(|found| found >= age)
}
