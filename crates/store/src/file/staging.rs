//! Files that are still being written.
//!
//! Every open store has a staging folder of its own and holds a lock on it, so that what a crashed process left behind
//! can be told from what a running one is writing.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;
use uuid::Uuid;

/// The staging folder of one open store. Removed with it.
#[derive(Debug)]
pub(super) struct Staging {
    folder: PathBuf,
    /// Locked as long as the store is open.
    _lock: File,
}

impl Staging {
    /// Makes a folder in `directory` and removes those whose owners are gone.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        // One opening at a time: a folder that was just made must not be swept before its owner locks it.
        let opening = File::open(directory)?;
        opening.lock()?;
        sweep(directory)?;
        let folder = directory.join(Uuid::new_v4().to_string());
        fs::create_dir(&folder)?;
        let lock = File::open(&folder)?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock })
    }

    /// A new, empty file, removed when dropped unless it has been moved away.
    pub(super) fn create(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(&self.folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next opening sweeps the folder if this fails.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders that nobody holds a lock on.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let folder = entry?.path();
        match File::open(&folder)?.try_lock() {
            Ok(()) => fs::remove_dir_all(&folder)?,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(())
}
