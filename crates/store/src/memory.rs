//! Blobs in this process' memory: for tests, and for trying things out.

use crate::{
    error::StoreError,
    key::{ObjectKey, folder_of},
    object::{ByteStream, Object, ObjectList, ObjectMeta, once},
    store::ObjectStore,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// Keeps blobs in memory, and forgets them when dropped.
#[derive(Debug, Default)]
pub struct MemoryStore {
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    objects: Blobs,
    uploads: Blobs,
    /// The uploads that a call is adding to.
    busy: BTreeSet<ObjectKey>,
}

type Blobs = BTreeMap<ObjectKey, Blob>;

#[derive(Clone, Debug)]
struct Blob {
    bytes: Bytes,
    modified: SystemTime,
}

impl Blob {
    fn new(bytes: Bytes) -> Self {
        Self { bytes, modified: SystemTime::now() }
    }

    fn meta(&self, key: &ObjectKey) -> ObjectMeta {
        ObjectMeta { key: key.clone(), size: self.bytes.len() as u64, modified: self.modified }
    }
}

/// An upload held by one call; free again when dropped.
struct Hold<'store> {
    store: &'store MemoryStore,
    upload: ObjectKey,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.store.lock().busy.remove(&self.upload);
    }
}

impl MemoryStore {
    /// A new, empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        // Every change is a single insertion or removal, so a panic elsewhere leaves nothing half done.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes hold of an upload of `size` bytes.
    fn hold(&self, upload: &ObjectKey, size: u64) -> Result<Hold<'_>, StoreError> {
        let mut content = self.lock();
        let held = find(&content.uploads, upload)?.bytes.len() as u64;
        if content.busy.contains(upload) {
            return Err(StoreError::UploadBusy { key: upload.to_string() });
        }
        if held != size {
            return Err(StoreError::UploadLength { key: upload.to_string(), held, expected: size });
        }
        content.busy.insert(upload.clone());
        Ok(Hold { store: self, upload: upload.clone() })
    }

    fn extend(&self, upload: &ObjectKey, piece: &Bytes) -> Result<(), StoreError> {
        let mut content = self.lock();
        let blob = content.uploads.get_mut(upload).ok_or_else(|| absent(upload))?;
        // Copied only while somebody reads it: adding piece by piece must not cost the square of the length.
        let mut grown = BytesMut::from(std::mem::take(&mut blob.bytes));
        grown.extend_from_slice(piece);
        *blob = Blob::new(grown.freeze());
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for MemoryStore {
    async fn put(&self, key: &ObjectKey, mut content: ByteStream) -> Result<ObjectMeta, StoreError> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = content.next().await {
            bytes.extend_from_slice(&received(piece, key)?);
        }
        let blob = Blob::new(bytes.freeze());
        let meta = blob.meta(key);
        self.lock().objects.insert(key.clone(), blob);
        Ok(meta)
    }

    async fn get(&self, key: &ObjectKey) -> Result<Object, StoreError> {
        read(find(&self.lock().objects, key)?, key)
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Object, StoreError> {
        let blob = find(&self.lock().objects, key)?;
        let size = blob.bytes.len() as u64;
        if range.start > range.end || range.end > size {
            return Err(StoreError::Range { key: key.to_string(), size, start: range.start, end: range.end });
        }
        let wanted = blob.bytes.slice(range.start as usize..range.end as usize);
        Ok(Object { meta: blob.meta(key), content: once(wanted) })
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        Ok(find(&self.lock().objects, key)?.meta(key))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.lock().objects.remove(key);
        Ok(())
    }

    fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
        list(&self.lock().objects, prefix, after)
    }

    async fn begin_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        self.lock().uploads.insert(upload.clone(), Blob::new(Bytes::new()));
        Ok(())
    }

    async fn append_upload(
        &self,
        upload: &ObjectKey,
        offset: u64,
        content: ByteStream,
    ) -> Result<u64, StoreError> {
        let _hold = self.hold(upload, offset)?;
        let mut content = content;
        let mut size = offset;
        while let Some(piece) = content.next().await {
            let piece = received(piece, upload)?;
            self.extend(upload, &piece)?;
            size += piece.len() as u64;
        }
        Ok(size)
    }

    async fn head_upload(&self, upload: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        Ok(find(&self.lock().uploads, upload)?.meta(upload))
    }

    async fn get_upload(&self, upload: &ObjectKey) -> Result<Object, StoreError> {
        read(find(&self.lock().uploads, upload)?, upload)
    }

    async fn finish_upload(&self, upload: &ObjectKey, size: u64, key: &ObjectKey) -> Result<(), StoreError> {
        let _hold = self.hold(upload, size)?;
        let mut content = self.lock();
        let blob = Blob::new(find(&content.uploads, upload)?.bytes);
        content.uploads.remove(upload);
        content.objects.insert(key.clone(), blob);
        Ok(())
    }

    async fn cancel_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        self.lock().uploads.remove(upload);
        Ok(())
    }

    fn list_uploads(&self, prefix: &str) -> ObjectList {
        list(&self.lock().uploads, prefix, None)
    }
}

fn received<T>(piece: std::io::Result<T>, key: &ObjectKey) -> Result<T, StoreError> {
    piece.map_err(|source| StoreError::Content { key: key.to_string(), source })
}

fn find(blobs: &Blobs, key: &ObjectKey) -> Result<Blob, StoreError> {
    blobs.get(key).cloned().ok_or_else(|| absent(key))
}

fn absent(key: &ObjectKey) -> StoreError {
    StoreError::NotFound { key: key.to_string() }
}

fn read(blob: Blob, key: &ObjectKey) -> Result<Object, StoreError> {
    Ok(Object { meta: blob.meta(key), content: once(blob.bytes) })
}

fn list(blobs: &Blobs, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
    if let Err(error) = folder_of(prefix) {
        return stream::once(async { Err(error) }).boxed();
    }
    let wanted = |key: &ObjectKey| key.as_str().starts_with(prefix) && after.is_none_or(|after| key > after);
    let metas: Vec<_> =
        blobs.iter().filter(|(key, _)| wanted(key)).map(|(key, blob)| Ok(blob.meta(key))).collect();
    stream::iter(metas).boxed()
}
