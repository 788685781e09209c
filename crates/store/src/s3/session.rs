//! An upload between its requests, which may come to different processes: the bytes of each request are an object.
//!
//! Nobody else's request can be seen, let alone be kept out. But each writes under a name of its own, so two that
//! write at once leave bytes that overlap, and such an upload is refused from then on: nothing is ever put together
//! from two writers.

use super::bucket::Bucket;
use crate::{error::StoreError, key::ObjectKey, object::ObjectMeta};
use futures::TryStreamExt;
use object_store::{ObjectMeta as Meta, ObjectStore, ObjectStoreExt, PutPayload, path::Path};
use std::{collections::BTreeMap, time::SystemTime};
use uuid::Uuid;

/// The object that says that there is an upload.
const BEGUN: &str = "begun";

/// What the bucket has of one upload.
#[derive(Debug, Default)]
pub(super) struct Session {
    begun: bool,
    /// In the order of their offsets.
    pub(super) parts: Vec<Meta>,
    size: u64,
    overlaps: bool,
    modified: Option<SystemTime>,
}

impl Session {
    /// Looks an upload up. [`StoreError::NotFound`] unless it was begun, and neither finished nor cancelled since.
    pub(super) async fn find(bucket: &Bucket, upload: &ObjectKey) -> Result<Self, StoreError> {
        let failed = |error| bucket.attempt("look at upload", upload.as_str()).failed(error);
        let mut found = bucket.client.list(Some(&bucket.upload(upload)));
        let mut session = Self::default();
        while let Some(meta) = found.try_next().await.map_err(failed)? {
            session.add(meta);
        }
        match session.begun {
            true if session.overlaps => Err(StoreError::UploadBusy { key: upload.to_string() }),
            true => Ok(session),
            false => Err(StoreError::NotFound { key: upload.to_string() }),
        }
    }

    /// The uploads whose keys begin with `prefix`, those included of which only remains are there.
    pub(super) async fn list(bucket: &Bucket, prefix: &str) -> Result<Vec<ObjectMeta>, StoreError> {
        let folder = crate::key::folder_of(prefix)?;
        let failed = |error| bucket.attempt("list uploads", prefix).failed(error);
        let mut found = bucket.client.list(Some(&bucket.path(&format!("uploads/{folder}"))));
        let mut sessions = BTreeMap::<ObjectKey, Self>::new();
        while let Some(meta) = found.try_next().await.map_err(failed)? {
            let name = bucket.name_below("uploads/", &meta.location).and_then(|name| name.rsplit_once('/'));
            let key = name.and_then(|(key, _)| ObjectKey::parse(key).ok());
            if let Some(key) = key.filter(|key| key.as_str().starts_with(prefix)) {
                sessions.entry(key).or_default().add(meta);
            }
        }
        Ok(sessions.into_iter().map(|(key, session)| session.meta(key)).collect())
    }

    /// Removes what was found of it, and first what says that there is one.
    pub(super) async fn remove(self, bucket: &Bucket, upload: &ObjectKey) -> Result<(), StoreError> {
        let begun = bucket.path(&format!("uploads/{upload}/{BEGUN}"));
        remove_each(
            bucket,
            upload,
            [begun].into_iter().chain(self.parts.into_iter().map(|part| part.location)),
        )
        .await
    }

    /// The facts about it.
    pub(super) fn meta(&self, key: ObjectKey) -> ObjectMeta {
        ObjectMeta { key, size: self.size, modified: self.modified.unwrap_or(SystemTime::UNIX_EPOCH) }
    }

    pub(super) fn expect_size(&self, upload: &ObjectKey, expected: u64) -> Result<(), StoreError> {
        match self.size == expected {
            true => Ok(()),
            false => Err(StoreError::UploadLength { key: upload.to_string(), held: self.size, expected }),
        }
    }

    /// Takes note of the next of its objects, in the order of their names.
    fn add(&mut self, meta: Meta) {
        self.modified = self.modified.max(Some(meta.last_modified.into()));
        match offset(&meta.location) {
            Some(offset) => {
                self.overlaps |= offset != self.size;
                self.size += meta.size;
                self.parts.push(meta);
            }
            None => self.begun = true,
        }
    }
}

/// A new name for bytes of the upload from `offset` on.
pub(super) fn part(bucket: &Bucket, upload: &ObjectKey, offset: u64) -> Path {
    bucket.path(&format!("uploads/{upload}/{offset:020}.{}", Uuid::new_v4()))
}

/// Makes the upload one of no bytes.
pub(super) async fn begin(bucket: &Bucket, upload: &ObjectKey) -> Result<(), StoreError> {
    remove(bucket, upload).await?;
    let begun = bucket.path(&format!("uploads/{upload}/{BEGUN}"));
    let put = bucket.client.put(&begun, PutPayload::default()).await;
    put.map(|_| ()).map_err(|error| bucket.attempt("begin upload", upload.as_str()).failed(error))
}

/// Removes everything of the upload, and first what says that there is one.
pub(super) async fn remove(bucket: &Bucket, upload: &ObjectKey) -> Result<(), StoreError> {
    let failed = |error| bucket.attempt("remove upload", upload.as_str()).failed(error);
    let mut found: Vec<Meta> =
        bucket.client.list(Some(&bucket.upload(upload))).try_collect().await.map_err(failed)?;
    found.reverse();
    remove_each(bucket, upload, found.into_iter().map(|meta| meta.location)).await
}

async fn remove_each(
    bucket: &Bucket,
    upload: &ObjectKey,
    paths: impl Iterator<Item = Path>,
) -> Result<(), StoreError> {
    for path in paths {
        let removed = bucket.remove(&path).await;
        removed.map_err(|error| bucket.attempt("remove upload", upload.as_str()).failed(error))?;
    }
    Ok(())
}

/// The offset in a part's name; nothing for the object that says that there is an upload.
fn offset(path: &Path) -> Option<u64> {
    path.filename()?.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[(&str, u64)], expected: (bool, u64, bool)) {
        let mut session = Session::default();
        for (name, size) in names {
            let (location, last_modified) = (Path::from(format!("uploads/u/{name}")), Default::default());
            session.add(Meta { location, last_modified, size: *size, e_tag: None, version: None });
        }
        assert_eq!((session.begun, session.size, session.overlaps), expected, "{names:?}");
    }

    #[test]
    fn parts_follow_each_other_without_gap_or_overlap() {
        check(&[], (false, 0, false));
        check(&[("begun", 0)], (true, 0, false));
        check(&[("0000.a", 5), ("0005.b", 2), ("begun", 0)], (true, 7, false));
        check(&[("0005.b", 2), ("begun", 0)], (true, 2, true));
        check(&[("0000.a", 5), ("0000.b", 5), ("begun", 0)], (true, 10, true));
        check(&[("0000.a", 5), ("0004.b", 5), ("begun", 0)], (true, 10, true));
        check(&[("0000.a", 5)], (false, 5, false));
    }
}
