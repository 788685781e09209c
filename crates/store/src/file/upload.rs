//! The file of an unfinished upload, held by one request at a time.

use super::tree::Tree;
use crate::{error::StoreError, key::ObjectKey};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    time::SystemTime,
};

/// An upload's file, locked against everybody else, positioned at its end.
pub(super) struct UploadFile {
    file: File,
    size: u64,
}

impl UploadFile {
    /// Opens and locks the upload; nothing when somebody else holds the lock.
    pub(super) fn open(tree: &Tree, upload: &ObjectKey) -> io::Result<Option<Self>> {
        let path = tree.path(upload);
        let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Between opening and locking it may have been finished: then this file is an object and must not grow.
        let (opened, named) = (file.metadata()?, std::fs::metadata(&path)?);
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Some(Self { file, size }))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn expect_size(&self, upload: &ObjectKey, expected: u64) -> Result<(), StoreError> {
        match self.size == expected {
            true => Ok(()),
            false => Err(StoreError::UploadLength { key: upload.to_string(), held: self.size, expected }),
        }
    }

    /// Brings the bytes to the disk, and makes the file as young as the object it is about to become.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.set_modified(SystemTime::now())?;
        self.file.sync_all()
    }
}

impl Write for UploadFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
