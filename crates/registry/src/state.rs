//! What all requests share.

use crate::{
    config::{Config, Credentials, Limits},
    error::RequestError,
    hash::RunningDigests,
};
use deis_runtime::StatusBoard;
use deis_store::{ObjectStore, StoreError};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};

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
            collection: Mutex::default(),
        }
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
