//! What all requests share.

use crate::{
    config::{Config, Credentials, Limits},
    digest::Digest,
    error::RequestError,
    hash::RunningDigests,
    layout,
    repository::RepositoryName,
};
use deis_runtime::StatusBoard;
use deis_store::{ObjectKey, ObjectStore, StoreError};
use std::sync::Arc;
use tokio::sync::{Mutex, RwLock, Semaphore};

/// What all requests share.
pub(crate) struct State {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) credentials: Credentials,
    pub(crate) limits: Limits,
    pub(crate) status: StatusBoard,
    /// One permit per upload being written.
    pub(crate) writers: Semaphore,
    /// Digests of uploads under way, so that finishing one need not read it again.
    pub(crate) digests: RunningDigests,
    /// Shared by those who check that something exists and build on it, exclusive to those who remove.
    pub(crate) removal: RwLock<()>,
    /// Held by the one garbage collection under way.
    pub(crate) collection: Mutex<()>,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            store: config.store,
            credentials: config.credentials,
            writers: Semaphore::new(config.limits.uploads),
            limits: config.limits,
            status: config.status,
            digests: RunningDigests::default(),
            removal: RwLock::default(),
            collection: Mutex::default(),
        }
    }

    /// Whether there is an object `key`.
    pub(crate) async fn exists(&self, key: &ObjectKey) -> Result<bool, StoreError> {
        match self.store.head(key).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the blob, which the store has, part of the repository.
    pub(crate) async fn link(&self, name: &RepositoryName, digest: &Digest) -> Result<(), StoreError> {
        self.store.put_bytes(&layout::blob_link(name, digest), bytes::Bytes::new()).await.map(|_| ())
    }

    /// The answer to a failed write. A store that refuses to take more is noted where operators look.
    pub(crate) fn noted(&self, error: StoreError) -> RequestError {
        match &error {
            StoreError::NoSpace { location, .. } => {
                let cure = format!("free space in {location}, or move the store to a larger disk");
                self.status.trouble("store", &error, &cure);
            }
            StoreError::Permission { location, .. } => {
                let cure = format!("let the platform's user read and write {location}");
                self.status.trouble("store", &error, &cure);
            }
            _ => {}
        }
        error.into()
    }
}
