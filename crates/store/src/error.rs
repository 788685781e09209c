//! What can go wrong in a store: what was attempted, on what, why, and the cure where there is one.

use crate::key::KeyError;
use std::io;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no adapter, or not what the adapter needs.
    #[error(
        "store url {url:?} must be file:///absolute/directory, s3://BUCKET/PREFIX?endpoint=URL or memory://"
    )]
    Url {
        /// The URL as given, its secrets left out.
        url: String,
    },
    /// There are no credentials for the server where they should be.
    #[error("found no store credentials in {place}: put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY there")]
    Credentials {
        /// Where they were looked for.
        place: String,
    },
    /// There is no such bucket.
    #[error("no {location}: create it, or name another in the store url")]
    Bucket {
        /// The bucket and its server.
        location: String,
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
        /// The directory or bucket that has no space left.
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
    /// The server cannot be reached, does not answer, or is in trouble itself. It may be tried again.
    #[error(
        "failed to {action} {subject}: {location} does not answer; look after its server, this goes on by itself"
    )]
    Unavailable {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The bucket and its server.
        location: String,
        /// What happened to the request.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server does not let these credentials do this.
    #[error(
        "failed to {action} {subject}: {location} refuses the credentials; give ones that may read and write it"
    )]
    Access {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The bucket and its server.
        location: String,
        /// What the server said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else the server refuses.
    #[error("failed to {action} {subject} in {location}")]
    Remote {
        /// What was attempted.
        action: &'static str,
        /// On what.
        subject: String,
        /// The bucket and its server.
        location: String,
        /// What the server said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
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

    /// Whether the store is away, so that the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
