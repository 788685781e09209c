//! Blobs as files in one directory: `objects/` and `uploads/` by key, and `staging/` for what is half written.
//!
//! New content goes to a staged file, reaches the disk, and is renamed into place, so no reader ever sees half of it.
//! Several processes may share the directory.

mod attempt;
mod reader;
mod staging;
mod tree;
mod upload;
mod walk;
mod writer;

use crate::{
    error::StoreError,
    key::ObjectKey,
    object::{ByteStream, Object, ObjectList, ObjectMeta},
    store::ObjectStore,
};
use async_trait::async_trait;
use attempt::{Attempt, blocking};
use staging::Staging;
use std::{ops::Range, path::PathBuf, sync::Arc};
use tree::{Tree, meta_of};
use upload::UploadFile;

/// Keeps blobs as files.
#[derive(Clone, Debug)]
pub struct FileStore {
    objects: Tree,
    uploads: Tree,
    staging: Arc<Staging>,
    directory: PathBuf,
}

impl FileStore {
    /// Opens the store in `directory`, creating it where needed, and removes what crashed writers left half written.
    pub async fn open(directory: PathBuf) -> Result<Self, StoreError> {
        let attempt = Attempt::new("open", "the store", &directory);
        blocking(attempt, move || {
            Ok(Self {
                objects: Tree::open(directory.join("objects"))?,
                uploads: Tree::open(directory.join("uploads"))?,
                staging: Arc::new(Staging::open(&directory.join("staging"))?),
                directory,
            })
        })
        .await
    }

    fn attempt(&self, action: &'static str, subject: &ObjectKey) -> Attempt {
        Attempt::new(action, subject.as_str(), &self.directory)
    }

    fn attempt_on_existing(&self, action: &'static str, subject: &ObjectKey) -> Attempt {
        self.attempt(action, subject).on_existing()
    }

    /// Opens `range` of a file, or all of it.
    async fn read(
        &self,
        tree: &Tree,
        key: &ObjectKey,
        range: Option<Range<u64>>,
    ) -> Result<Object, StoreError> {
        let (wanted, tree) = (key.clone(), tree.clone());
        let (file, meta) =
            blocking(self.attempt_on_existing("open", key), move || tree.open_file(&wanted)).await?;
        let range = range.unwrap_or(0..meta.size);
        if range.start > range.end || range.end > meta.size {
            let (key, Range { start, end }) = (key.to_string(), range);
            return Err(StoreError::Range { key, size: meta.size, start, end });
        }
        Ok(Object { content: reader::read(file, range), meta })
    }

    async fn read_meta(&self, tree: &Tree, key: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        let (wanted, tree) = (key.clone(), tree.clone());
        blocking(self.attempt_on_existing("look at", key), move || tree.meta(&wanted)).await
    }

    async fn remove(&self, tree: &Tree, key: &ObjectKey) -> Result<(), StoreError> {
        let (wanted, tree) = (key.clone(), tree.clone());
        blocking(self.attempt("delete", key), move || tree.remove(&wanted)).await
    }

    async fn open_upload(&self, upload: &ObjectKey) -> Result<UploadFile, StoreError> {
        let (wanted, tree) = (upload.clone(), self.uploads.clone());
        let opened = blocking(self.attempt_on_existing("open upload", upload), move || {
            UploadFile::open(&tree, &wanted)
        })
        .await?;
        opened.ok_or_else(|| StoreError::UploadBusy { key: upload.to_string() })
    }
}

#[async_trait]
impl ObjectStore for FileStore {
    async fn put(&self, key: &ObjectKey, content: ByteStream) -> Result<ObjectMeta, StoreError> {
        let staging = self.staging.clone();
        let staged = blocking(self.attempt("write", key), move || staging.create()).await?;
        let staged = writer::write(staged, content, key, || self.attempt("write", key)).await?;
        let (key, tree) = (key.clone(), self.objects.clone());
        blocking(self.attempt("write", &key), move || {
            staged.as_file().sync_all()?;
            // By its own file: under its name there may be another one right after, or none.
            let meta = meta_of(key, &staged.as_file().metadata()?)?;
            tree.place(staged.path(), &meta.key)?;
            Ok(meta)
        })
        .await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Object, StoreError> {
        self.read(&self.objects, key, None).await
    }

    async fn get_range(&self, key: &ObjectKey, range: Range<u64>) -> Result<Object, StoreError> {
        self.read(&self.objects, key, Some(range)).await
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        self.read_meta(&self.objects, key).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), StoreError> {
        self.remove(&self.objects, key).await
    }

    fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
        walk::list(&self.objects, prefix, after)
    }

    async fn begin_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        let (wanted, tree, staging) = (upload.clone(), self.uploads.clone(), self.staging.clone());
        let begin = move || tree.rename(staging.create()?.path(), &wanted);
        blocking(self.attempt("begin upload", upload), begin).await
    }

    async fn append_upload(
        &self,
        upload: &ObjectKey,
        offset: u64,
        content: ByteStream,
    ) -> Result<u64, StoreError> {
        let opened = self.open_upload(upload).await?;
        opened.expect_size(upload, offset)?;
        let written = writer::write(opened, content, upload, || self.attempt("write upload", upload)).await?;
        Ok(written.size())
    }

    async fn head_upload(&self, upload: &ObjectKey) -> Result<ObjectMeta, StoreError> {
        self.read_meta(&self.uploads, upload).await
    }

    async fn get_upload(&self, upload: &ObjectKey) -> Result<Object, StoreError> {
        self.read(&self.uploads, upload, None).await
    }

    async fn finish_upload(&self, upload: &ObjectKey, size: u64, key: &ObjectKey) -> Result<(), StoreError> {
        let opened = self.open_upload(upload).await?;
        opened.expect_size(upload, size)?;
        let (from, to) = (upload.clone(), key.clone());
        let (uploads, objects) = (self.uploads.clone(), self.objects.clone());
        blocking(self.attempt_on_existing("finish upload", upload), move || {
            opened.sync()?;
            objects.place(&uploads.path(&from), &to)?;
            uploads.prune(&from);
            Ok(())
        })
        .await
    }

    async fn cancel_upload(&self, upload: &ObjectKey) -> Result<(), StoreError> {
        self.remove(&self.uploads, upload).await
    }

    fn list_uploads(&self, prefix: &str) -> ObjectList {
        walk::list(&self.uploads, prefix, None)
    }
}
