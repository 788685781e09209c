//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use deis_runtime::serve::BindError;

/// Why a logger cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LoggerError {
    /// The address is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The directory of logs cannot be read or made.
    #[error("failed to open the logs in {}; it must be a writable directory of the user who runs deisd", path.display())]
    Open {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why records were not stored, or could not be read. The caller keeps its records and sends them again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// No space is left.
    #[error("the disk that holds {} is full: nothing is stored until there is space", path.display())]
    Full {
        /// Which file was to grow.
        path: PathBuf,
    },
    /// The disk refused otherwise.
    #[error("failed to use {}: {reason}", path.display())]
    Disk {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The logger is shutting down.
    #[error("the logger is shutting down")]
    Closed,
}

impl WriteError {
    /// The failure `error` of `path`.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Disk { path, reason: error.to_string() },
        }
    }
}
