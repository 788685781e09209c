//! What a server's refusals mean.

use super::bucket::Bucket;
use crate::error::StoreError;
use object_store::Error;

/// What servers say when no more fits: Ceph's gateway, and others.
const FULL: [&str; 3] = ["QuotaExceeded", "InsufficientStorage", "507 Insufficient Storage"];
/// What servers answer, within the text of the error, to credentials that they do not know or that may not do this.
const DENIED: [&str; 2] = ["status code: 401", "status code: 403"];
/// What they answer when they were asked too often. It passes.
const BUSY: &str = "status code: 429";
/// What they answer when they could be asked but refuse: asking again is no use.
const REFUSED: &str = "status code: 4";

/// What is being attempted, for the message when it fails.
pub(super) struct Attempt<'a> {
    pub(super) bucket: &'a Bucket,
    pub(super) action: &'static str,
    pub(super) subject: &'a str,
}

impl Attempt<'_> {
    /// The error for an attempt that failed with `source`.
    ///
    /// For lists, the library tells by its error's text alone what the server answered.
    pub(super) fn failed(&self, source: Error) -> StoreError {
        let said = source.to_string();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let (action, subject, location) =
            (self.action, self.subject.to_owned(), self.bucket.location.to_string());
        let denied = matches!(source, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
        let passing = !has(&[REFUSED]) || has(&[BUSY]);
        match source {
            _ if has(&FULL) => StoreError::NoSpace { action, subject, location },
            _ if has(&["NoSuchBucket"]) => StoreError::Bucket { location },
            Error::NotFound { .. } => StoreError::NotFound { key: subject },
            _ if denied || has(&DENIED) => {
                StoreError::Access { action, subject, location, source: source.into() }
            }
            Error::Generic { .. } if passing => {
                StoreError::Unavailable { action, subject, location, source: source.into() }
            }
            _ => StoreError::Remote { action, subject, location, source: source.into() },
        }
    }
}
