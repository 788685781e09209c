//! The port: what every adapter offers.

use crate::{
    error::StoreError,
    key::ObjectKey,
    object::{ByteStream, Object, ObjectList, ObjectMeta, once},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use std::{fmt::Debug, ops::Range};

/// Keeps blobs under keys.
///
/// Objects are replaced and removed whole; readers see the old bytes or the new ones. What a call reports as done
/// survives a crash, and an object also a loss of power. Dropping a call's future leaves no half object.
///
/// Uploads have keys of their own: an upload and an object of the same name do not meet.
#[async_trait]
pub trait ObjectStore: Debug + Send + Sync {
    /// Stores `content` under `key`, replacing what was there, without holding it in memory.
    async fn put(&self, key: &ObjectKey, content: ByteStream) -> Result<ObjectMeta, StoreError>;

    /// Opens the object for reading.
    async fn get(&self, key: &ObjectKey) -> Result<Object, StoreError>;

    /// Opens the bytes `range` of the object. [`StoreError::Range`] unless the object has all of them.
    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Object, StoreError>;

    /// The facts about the object.
    async fn head(&self, key: &ObjectKey) -> Result<ObjectMeta, StoreError>;

    /// Removes the object; absent is success.
    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError>;

    /// The objects whose keys begin with `prefix` and come after `after`; the empty prefix begins every key.
    fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> ObjectList;

    /// Begins an upload of no bytes, or empties the one of that name.
    async fn begin_upload(&self, upload: &ObjectKey) -> Result<(), StoreError>;

    /// Adds `content` to an upload that has `offset` bytes, and tells how many it has then.
    ///
    /// When `content` fails on the way, the bytes before the failure stay. [`StoreError::UploadLength`] when the
    /// upload has not `offset` bytes, [`StoreError::UploadBusy`] while another call adds to it.
    async fn append_upload(
        &self,
        upload: &ObjectKey,
        offset: u64,
        content: ByteStream,
    ) -> Result<u64, StoreError>;

    /// The facts about an upload.
    async fn head_upload(&self, upload: &ObjectKey) -> Result<ObjectMeta, StoreError>;

    /// Opens the bytes that an upload has so far.
    async fn get_upload(&self, upload: &ObjectKey) -> Result<Object, StoreError>;

    /// Turns an upload of `size` bytes into the object `key`, replacing what was there.
    ///
    /// [`StoreError::UploadLength`] when it has not `size` bytes: uploads only grow, so a caller who checked that
    /// many bytes publishes exactly what it checked.
    async fn finish_upload(&self, upload: &ObjectKey, size: u64, key: &ObjectKey) -> Result<(), StoreError>;

    /// Forgets an upload; absent is success.
    async fn cancel_upload(&self, upload: &ObjectKey) -> Result<(), StoreError>;

    /// The uploads whose keys begin with `prefix`.
    fn list_uploads(&self, prefix: &str) -> ObjectList;

    /// Stores `bytes` under `key`, replacing what was there.
    async fn put_bytes(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError> {
        self.put(key, once(bytes)).await.map(|_| ())
    }

    /// The whole object in memory. [`StoreError::TooLarge`] when it has more than `limit` bytes.
    async fn get_bytes(&self, key: &ObjectKey, limit: u64) -> Result<Bytes, StoreError> {
        let mut object = self.get(key).await?;
        if object.meta.size > limit {
            return Err(StoreError::TooLarge { key: key.to_string(), limit });
        }
        let mut bytes = Vec::new();
        while let Some(piece) = object.content.next().await {
            let piece = piece.map_err(|source| StoreError::Io {
                action: "read",
                subject: key.to_string(),
                location: "the store".to_owned(),
                source,
            })?;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }
}
