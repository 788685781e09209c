//! What can go wrong in a store: what was attempted, on what, why, and the cure where there is one.

use crate::key::KeyError;
use std::io;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no adapter, or not what the adapter needs.
    #[error("store url {url:?} must be file:///absolute/directory or memory://")]
    Url {
        /// The URL as given.
        url: String,
    },
    /// A text is not a key or not the beginning of one.
    #[error("{text:?} is no object key")]
    Key {
        /// The text as given.
        text: String,
        /// The rule it breaks.
        #[source]
        source: KeyError,
    },
    /// There is no such object or upload.
    #[error("no object or upload {key}")]
    NotFound {
        /// Its key.
        key: String,
    },
    /// The object is shorter than the bytes asked for.
    #[error("{key} has {size} bytes, bytes {start} to {end} were asked for")]
    Range {
        /// The key of the object.
        key: String,
        /// Its size in bytes.
        size: u64,
        /// The first byte asked for.
        start: u64,
        /// The byte after the last one asked for.
        end: u64,
    },
    /// The object is longer than its reader allows.
    #[error("{key} has more than the {limit} bytes its reader allows")]
    TooLarge {
        /// The key of the object.
        key: String,
        /// The most bytes allowed.
        limit: u64,
    },
    /// An upload does not have the length that the caller went by.
    #[error("upload {key} has {held} bytes, not {expected}")]
    UploadLength {
        /// The key of the upload.
        key: String,
        /// The bytes it has.
        held: u64,
        /// The bytes the caller went by.
        expected: u64,
    },
    /// Somebody else writes or finishes the upload right now.
    #[error("upload {key} is in use by another request")]
    UploadBusy {
        /// The key of the upload.
        key: String,
    },
    /// The disk or the quota is full.
    #[error("failed to {action} {subject}: no space left; free space in {location}")]
    NoSpace {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The directory that has no space left.
        location: String,
    },
    /// The store's files do not belong to the platform's user, or are read-only.
    #[error("failed to {action} {subject}: no permission; let the platform's user write to {location}")]
    Permission {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The directory that refuses.
        location: String,
    },
    /// The content's own source failed while it was being stored.
    #[error("failed to receive the content of {key}")]
    Content {
        /// The key of the object or upload.
        key: String,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// Anything else the operating system refuses.
    #[error("failed to {action} {subject} in {location}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The store's directory.
        location: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the object or upload is simply not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
