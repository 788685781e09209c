//! The right to be a role: one process at a time for each role and data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::{DataDir, Role};

/// Held as long as a process is a role. The kernel gives it back however the process ends.
#[derive(Debug)]
pub struct Claim {
    /// Carries the lock.
    _file: File,
    is_only: bool,
}

/// Why a process may not be a role.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process is it.
    #[error(
        "the {role} with its data in {} runs already{}; end that one first, or use another data directory (--data-dir)",
        directory.display(), holder(*pid)
    )]
    Held {
        /// Which.
        role: Role,
        /// The data directory.
        directory: PathBuf,
        /// The other process, if it has said so.
        pid: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("failed to lock {}: {source}; check that it is on a writable local disk", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Claim {
    /// Claims `role` of the platform whose data is in `data`.
    ///
    /// Routers share: a new one starts before the one that it replaces ends.
    pub fn take(data: &DataDir, role: Role) -> Result<Self, ClaimError> {
        let path = data.root().join("run").join(format!("{role}.lock"));
        let failed = |source| ClaimError::Lock { path: path.clone(), source };
        data.directory("run").map_err(|error| failed(io::Error::other(error)))?;
        let file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Self::alone(file, role).map_err(failed),
            Err(TryLockError::WouldBlock) if role == Role::Router => {
                file.lock_shared().map_err(failed)?;
                Ok(Self { _file: file, is_only: false })
            }
            Err(TryLockError::WouldBlock) => {
                Err(ClaimError::Held { role, directory: data.root().to_owned(), pid: read_pid(file) })
            }
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn alone(mut file: File, role: Role) -> io::Result<Self> {
        // Only a hint for people; a full disk must not keep a role from starting.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        if role == Role::Router {
            file.unlock()?;
            file.lock_shared()?;
        }
        Ok(Self { _file: file, is_only: true })
    }

    /// Whether nobody else was this role when it was claimed.
    pub fn is_only(&self) -> bool {
        self.is_only
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn read_pid(mut file: File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" as process {pid}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::open(directory.path()).unwrap();
        (directory, data)
    }

    #[test]
    fn a_role_is_claimed_once_until_its_holder_is_gone() {
        let (_directory, data) = data();
        let held = Claim::take(&data, Role::Logger).unwrap();
        let refused = Claim::take(&data, Role::Logger).unwrap_err().to_string();
        assert!(refused.contains(&format!("as process {}", std::process::id())), "{refused}");
        let other = Claim::take(&data, Role::Registry).unwrap();
        drop(held);
        assert!(Claim::take(&data, Role::Logger).unwrap().is_only() && other.is_only());
    }

    #[test]
    fn routers_share_and_know_it() {
        let (_directory, data) = data();
        let old = Claim::take(&data, Role::Router).unwrap();
        let new = Claim::take(&data, Role::Router).unwrap();
        assert!(old.is_only() && !new.is_only());
    }
}
