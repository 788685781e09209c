//! One tree of files, found by key: the objects, or the uploads.

use super::attempt::is_absent;
use crate::{key::ObjectKey, object::ObjectMeta};
use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// How often a rename is tried whose folder a concurrent deletion pruned.
const PLACE_TRIES: usize = 32;

/// A directory of files named by their keys.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    directory: PathBuf,
}

impl Tree {
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn path(&self, key: &ObjectKey) -> PathBuf {
        self.directory.join(key.as_str())
    }

    pub(super) fn open_file(&self, key: &ObjectKey) -> io::Result<(File, ObjectMeta)> {
        let file = File::open(self.path(key))?;
        let meta = meta_of(key.clone(), &file.metadata()?)?;
        Ok((file, meta))
    }

    pub(super) fn meta(&self, key: &ObjectKey) -> io::Result<ObjectMeta> {
        meta_of(key.clone(), &fs::metadata(self.path(key))?)
    }

    /// Moves the file `from` to `key`, over what was there, and makes the move outlast a loss of power.
    pub(super) fn place(&self, from: &Path, key: &ObjectKey) -> io::Result<()> {
        self.rename(from, key)?;
        self.sync_folders(&self.path(key))
    }

    /// Moves the file `from` to `key`, over what was there.
    pub(super) fn rename(&self, from: &Path, key: &ObjectKey) -> io::Result<()> {
        let to = self.path(key);
        let mut tries = 1;
        loop {
            match fs::create_dir_all(parent(&to)).and_then(|()| fs::rename(from, &to)) {
                Err(error) if is_pruned(&error) && tries < PLACE_TRIES => tries += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Removes a file and the folders it leaves empty; absent is success.
    pub(super) fn remove(&self, key: &ObjectKey) -> io::Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => {
                sync_folder(parent(&path))?;
                self.prune(key);
                Ok(())
            }
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the folders of `key` that are empty.
    pub(super) fn prune(&self, key: &ObjectKey) {
        let path = self.path(key);
        let folders = path.ancestors().skip(1).take_while(|folder| *folder != self.directory);
        for folder in folders {
            // The first folder that is still in use ends the climb: it says "not empty".
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    /// Makes the names of `path` and of its folders last: a new folder is only safe once its own parent is.
    fn sync_folders(&self, path: &Path) -> io::Result<()> {
        for folder in path.ancestors().skip(1) {
            sync_folder(folder)?;
            if folder == self.directory {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a folder went while it was used: "exists already" is what making it says when it went just then.
fn is_pruned(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
}

/// The facts about a file; "not found" for a folder.
pub(super) fn meta_of(key: ObjectKey, metadata: &Metadata) -> io::Result<ObjectMeta> {
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(ObjectMeta { key, size: metadata.len(), modified })
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder) {
        Ok(opened) => opened.sync_all(),
        // Pruned by a concurrent deletion, so there is no name left to keep.
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("a file of a tree lies below its directory")
}
