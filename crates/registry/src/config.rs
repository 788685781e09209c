//! What a registry is told when it starts.

use deis_runtime::{Identity, StatusBoard};
use deis_store::ObjectStore;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// What a registry is told when it starts.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where blobs, manifests and tags are kept, below `images/`.
    pub store: Arc<dyn ObjectStore>,
    /// The one account.
    pub credentials: Credentials,
    /// Bounds on what clients may do.
    pub limits: Limits,
    /// Who it is to other hosts; none: it serves this host alone, in the clear.
    pub identity: Option<Identity>,
    /// Where to note the address, and a store that refuses to take more.
    pub status: StatusBoard,
}

/// The name and password that every request must carry, as HTTP Basic authentication.
#[derive(Clone)]
pub struct Credentials {
    /// The account's name.
    pub username: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Bounds on what clients may do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest blob in bytes; longer ones are refused with 413.
    pub blob_bytes: u64,
    /// How many uploads may be written at once; further ones wait.
    pub uploads: usize,
    /// How long a client may send nothing within a body before its request fails.
    pub idle: Duration,
    /// How long an upload that nobody adds to is kept.
    pub upload_expiry: Duration,
    /// How long a tag, manifest or blob is spared from garbage collection after it was last pushed or asked for.
    ///
    /// Longer than any push takes: what a push finds present must still be there when its manifest arrives.
    pub garbage_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob_bytes: 10 << 30,
            uploads: 64,
            idle: Duration::from_secs(60),
            upload_expiry: Duration::from_secs(24 * 60 * 60),
            garbage_grace: Duration::from_secs(60 * 60),
        }
    }
}
