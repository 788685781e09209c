//! Blocking file work off the async threads, and what its failures mean.

use crate::error::StoreError;
use std::{io, path::Path};

/// What is being attempted, for the message when it fails.
pub(super) struct Attempt {
    action: &'static str,
    subject: String,
    location: String,
    /// Whether a missing file means that there is no such object.
    existing: bool,
}

impl Attempt {
    pub(super) fn new(action: &'static str, subject: &str, location: &Path) -> Self {
        Self {
            action,
            subject: subject.to_owned(),
            location: location.display().to_string(),
            existing: false,
        }
    }

    /// The same attempt on something that is expected to be there.
    pub(super) fn on_existing(self) -> Self {
        Self { existing: true, ..self }
    }

    /// The error for an attempt that failed with `source`.
    pub(super) fn failed(self, source: io::Error) -> StoreError {
        let Self { action, subject, location, existing } = self;
        match source.kind() {
            _ if existing && is_absent(&source) => StoreError::NotFound { key: subject },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::NoSpace { action, subject, location }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::Permission { action, subject, location }
            }
            _ => StoreError::Io { action, subject, location, source },
        }
    }
}

/// Runs `work` where it may block.
pub(super) async fn blocking<T: Send + 'static>(
    attempt: Attempt,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(io::Error::other).flatten().map_err(|source| attempt.failed(source))
}

/// Whether no file is there: a path through a file, or to a folder, holds no object either.
pub(super) fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | IsADirectory)
}
