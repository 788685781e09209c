//! Blobs as objects in a bucket of an S3 server: Amazon's, Ceph's gateway, or another.
//!
//! Every server that takes a whole object at once, lists in order and shows what was written will do: no conditional
//! requests, no locks, no server-side parts of uploads that outlive a request. Several processes may share the bucket.

mod attempt;
mod bucket;
mod credentials;
mod gather;
mod list;
mod location;
mod parts;
mod session;
mod sweeper;
mod writer;

use crate::{
    error::StoreError,
    key::ObjectKey,
    object::{ByteStream, Object, ObjectList, ObjectMeta},
    open::redacted,
    store::ObjectStore,
};
use async_trait::async_trait;
use bucket::Bucket;
use bytes::Bytes;
use credentials::Credentials;
use futures::{StreamExt, TryStreamExt, stream};
pub(crate) use location::Location;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt, path::Path};
use session::Session;
use std::{
    collections::BTreeSet,
    io,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use sweeper::Sweeper;
use url::Url;
use writer::{Cut, write};

/// The longest object that the server copies by itself, within the time that it may say nothing. Longer ones pass
/// through this process.
const COPY_BYTES: u64 = 1 << 30;

/// Keeps blobs in a bucket.
#[derive(Debug)]
pub struct S3Store {
    bucket: Arc<Bucket>,
    /// The uploads that a call of this process is adding to.
    busy: Mutex<BTreeSet<ObjectKey>>,
    _sweeper: Sweeper,
}

/// An upload held by one call; free again when dropped.
struct Hold<'store> {
    store: &'store S3Store,
    upload: ObjectKey,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.store.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.upload);
    }
}

impl S3Store {
    /// Opens the store that an `s3` URL names, as [`open`](crate::open()) does.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let location = Url::parse(url).ok().as_ref().and_then(Location::parse);
        Self::at(location.ok_or_else(|| StoreError::Url { url: redacted(url) })?).await
    }

    /// Opens the store, and looks whether the bucket is there and may be read.
    ///
    /// A server that does not answer is no failure: it may come later, and calls say so until then.
    pub(crate) async fn at(location: Location) -> Result<Self, StoreError> {
        let credentials = Credentials::find(&location.credentials).await?;
        let bucket = Arc::new(Bucket::new(location, credentials)?);
        let looked = bucket.client.list(Some(&bucket.path("parts"))).try_next().await;
        match looked.map_err(|error| bucket.attempt("open", "the store").failed(error)) {
            Ok(_) | Err(StoreError::Unavailable { .. }) => {}
            Err(error) => return Err(error),
        }
        let _sweeper = Sweeper::start(bucket.clone());
        Ok(Self { bucket, busy: Mutex::default(), _sweeper })
    }

    /// Gives up objects that have been on their way for at least `age`: their senders are gone. Tells how many.
    pub async fn sweep(&self, age: Duration) -> Result<usize, StoreError> {
        let swept = parts::sweep(&self.bucket, age).await;
        swept.map_err(|error| self.bucket.attempt("sweep", "unfinished objects").failed(error))
    }

    fn hold(&self, upload: &ObjectKey) -> Result<Hold<'_>, StoreError> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match busy.insert(upload.clone()) {
            true => Ok(Hold { store: self, upload: upload.clone() }),
            false => Err(StoreError::UploadBusy { key: upload.to_string() }),
        }
    }

    async fn read(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Object, StoreError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let found = self.bucket.client.get_opts(&self.bucket.object(key), options).await;
        let found = found.map_err(|error| self.bucket.attempt("read", key.as_str()).failed(error))?;
        let meta = self.bucket.meta(key.clone(), &found.meta);
        Ok(Object { meta, content: found.into_stream().map_err(io::Error::other).boxed() })
    }

    /// Puts the upload's parts together: on the server if there is one, else through this process.
    async fn compose(&self, upload: &ObjectKey, session: &Session, to: &Path) -> Result<(), StoreError> {
        let failed = |error| self.bucket.attempt("finish upload", upload.as_str()).failed(error);
        if let [part] = &*session.parts
            && part.size <= COPY_BYTES
        {
            return self.bucket.client.copy(&part.location, to).await.map_err(failed);
        }
        let written = write(&self.bucket, to, self.content(session), Cut::Dropped).await.map_err(failed)?;
        match written.failure {
            None => Ok(()),
            Some(failure) => Err(StoreError::Unavailable {
                action: "read upload",
                subject: upload.to_string(),
                location: self.bucket.location.to_string(),
                source: failure.into(),
            }),
        }
    }

    /// The bytes of the upload's parts, one after the other.
    fn content(&self, session: &Session) -> ByteStream {
        let bucket = self.bucket.clone();
        let parts = stream::iter(session.parts.clone()).then(move |part| {
            let bucket = bucket.clone();
            async move {
                let found = bucket.client.get(&part.location).await.map_err(io::Error::other)?;
                Ok::<_, io::Error>(found.into_stream().map_err(io::Error::other))
            }
        });
        parts.try_flatten().boxed()
    }
}

#[async_trait]
impl ObjectStore for S3Store {
    async fn put(&self, key: &ObjectKey, content: ByteStream) -> Result<ObjectMeta, StoreError> {
        let written = write(&self.bucket, &self.bucket.object(key), content, Cut::Dropped).await;
        let written = written.map_err(|error| self.bucket.attempt("write", key.as_str()).failed(error))?;
        match written.failure {
            Some(source) => Err(StoreError::Content { key: key.to_string(), source }),
            None => match self.head(key).await {
                // Somebody removed it right after.
                Err(StoreError::NotFound { .. }) => {
                    Ok(ObjectMeta { key: key.clone(), size: written.size, modified: SystemTime::now() })
                }
                found => found,
            },
        }
    }

    async fn put_bytes(&self, key: &ObjectKey, bytes: Bytes) -> Result<(), StoreError> {
        let put = self.bucket.client.put(&self.bucket.object(key), bytes.into()).await;
        put.map(|_| ()).map_err(|error| self.bucket.attempt("write", key.as_str()).failed(error))
    }

    async fn get(&self, key: &ObjectKey) -> Result<Object, StoreError> {
        self.read(key, None).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Object, StoreError> {
        let outside = |size| {
            let (key, Range { start, end }) = (key.to_string(), range.clone());
            StoreError::Range { key, size, start, end }
        };
        if range.is_empty() {
            // Servers know no range of no bytes.
            let meta = self.head(key).await?;
            return match range.start == range.end && range.end <= meta.size {
                true => Ok(Object { meta, content: stream::empty().boxed() }),
                false => Err(outside(meta.size)),
            };
        }
        match self.read(key, Some(range.clone())).await {
            Ok(object) if range.end <= object.meta.size => Ok(object),
            Ok(object) => Err(outside(object.meta.size)),
            Err(error @ StoreError::Remote { .. }) => match self.head(key).await?.size {
                size if size < range.end => Err(outside(size)),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        let found = self.bucket.client.head(&self.bucket.object(key)).await;
        let found = found.map_err(|error| self.bucket.attempt("look at", key.as_str()).failed(error))?;
        Ok(self.bucket.meta(key.clone(), &found))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let removed = self.bucket.remove(&self.bucket.object(key)).await;
        removed.map_err(|error| self.bucket.attempt("delete", key.as_str()).failed(error))
    }

    fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
        list::list(&self.bucket, prefix, after)
    }

    async fn begin_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        session::begin(&self.bucket, upload).await
    }

    async fn append_upload(
        &self,
        upload: &ObjectKey,
        offset: u64,
        content: ByteStream,
    ) -> Result<u64, StoreError> {
        let _hold = self.hold(upload)?;
        Session::find(&self.bucket, upload).await?.expect_size(upload, offset)?;
        let mut content = content.peekable();
        if std::pin::Pin::new(&mut content).peek().await.is_none() {
            return Ok(offset);
        }
        let part = session::part(&self.bucket, upload, offset);
        let written = write(&self.bucket, &part, content.boxed(), Cut::Kept).await;
        let written =
            written.map_err(|error| self.bucket.attempt("write upload", upload.as_str()).failed(error))?;
        match written.failure {
            Some(source) => Err(StoreError::Content { key: upload.to_string(), source }),
            None => Ok(offset + written.size),
        }
    }

    async fn head_upload(&self, upload: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        Ok(Session::find(&self.bucket, upload).await?.meta(upload.clone()))
    }

    async fn get_upload(&self, upload: &ObjectKey) -> Result<Object, StoreError> {
        let session = Session::find(&self.bucket, upload).await?;
        Ok(Object { meta: session.meta(upload.clone()), content: self.content(&session) })
    }

    async fn finish_upload(&self, upload: &ObjectKey, size: u64, key: &ObjectKey) -> Result<(), StoreError> {
        let _hold = self.hold(upload)?;
        let session = Session::find(&self.bucket, upload).await?;
        session.expect_size(upload, size)?;
        self.compose(upload, &session, &self.bucket.object(key)).await?;
        session.remove(&self.bucket, upload).await
    }

    async fn cancel_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        session::remove(&self.bucket, upload).await
    }

    fn list_uploads(&self, prefix: &str) -> ObjectList {
        let (bucket, prefix) = (self.bucket.clone(), prefix.to_owned());
        let all = async move {
            let found = Session::list(&bucket, &prefix).await?;
            Ok(stream::iter(found).map(Ok))
        };
        stream::once(all).try_flatten().boxed()
    }
}
