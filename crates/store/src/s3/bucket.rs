//! The bucket: the client of its server, and where in it things are.
//!
//! ```text
//! PREFIX objects/KEY                     an object
//! PREFIX uploads/KEY/begun               empty: there is an upload KEY
//! PREFIX uploads/KEY/OFFSET.NONCE        bytes of the upload from OFFSET on, twenty digits
//! PREFIX parts/UUID                      the path and id of an object that is being sent in parts
//! ```

use super::{attempt::Attempt, credentials::Credentials, location::Location};
use crate::{error::StoreError, key::ObjectKey};
use object_store::{
    BackoffConfig, ClientOptions, ObjectMeta as Meta, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use std::time::Duration;

/// How long a connection to the server may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server may say nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// For how long a request that failed is tried again. Whoever waits for it had better hear soon.
const RETRY_TIME: Duration = Duration::from_secs(5);
/// How often, at most.
const RETRIES: usize = 4;

/// A bucket on a server.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: AmazonS3,
    pub(super) location: Location,
}

impl Bucket {
    pub(super) fn new(location: Location, credentials: Credentials) -> Result<Self, StoreError> {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_TIME };
        let options = ClientOptions::new()
            .with_allow_http(true)
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_read_timeout(READ_TIMEOUT);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&location.bucket)
            .with_region(&location.region)
            .with_access_key_id(credentials.key)
            .with_secret_access_key(credentials.secret)
            .with_virtual_hosted_style_request(false)
            .with_retry(retry)
            .with_client_options(options);
        if let Some(endpoint) = &location.endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        if let Some(token) = credentials.token {
            builder = builder.with_token(token);
        }
        let place = location.to_string();
        let client = builder.build().map_err(|source| StoreError::Remote {
            action: "open",
            subject: "the store".to_owned(),
            location: place,
            source: source.into(),
        })?;
        Ok(Self { client, location })
    }

    pub(super) fn attempt<'a>(&'a self, action: &'static str, subject: &'a str) -> Attempt<'a> {
        Attempt { bucket: self, action, subject }
    }

    /// Where everything of one kind is, `below` of it: `objects/`, `uploads/` or `parts/`.
    pub(super) fn path(&self, below: &str) -> Path {
        let path = format!("{}{below}", self.location.prefix);
        Path::parse(path).expect("prefixes and keys are made of what paths are made of")
    }

    pub(super) fn object(&self, key: &ObjectKey) -> Path {
        self.path(&format!("objects/{key}"))
    }

    pub(super) fn upload(&self, upload: &ObjectKey) -> Path {
        self.path(&format!("uploads/{upload}"))
    }

    /// What a path is called below `kind`, which ends with a slash.
    pub(super) fn name_below<'p>(&self, kind: &str, path: &'p Path) -> Option<&'p str> {
        path.as_ref().strip_prefix(self.location.prefix.as_str())?.strip_prefix(kind)
    }

    /// Removes an object of the bucket; absent is success.
    pub(super) async fn remove(&self, path: &Path) -> Result<(), object_store::Error> {
        match self.client.delete(path).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => done,
        }
    }

    pub(super) fn meta(&self, key: ObjectKey, meta: &Meta) -> crate::object::ObjectMeta {
        crate::object::ObjectMeta { key, size: meta.size, modified: meta.last_modified.into() }
    }
}
