//! What a logger needs to know.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use deis_runtime::Identity;
use deis_store::ObjectStore;

/// Settings of a logger. No `Debug`: it holds the internal key.
#[derive(Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where logs are kept: one directory per app. Nothing else may be in it.
    pub directory: PathBuf,
    /// What callers must know.
    pub internal_key: String,
    /// How much of one app's log is kept, in bytes on disk. At least two segments are.
    pub retention_bytes_per_app: u64,
    /// How much is kept of all apps together, in bytes on disk.
    pub retention_bytes: u64,
    /// At which size a segment is closed, in bytes.
    pub segment_bytes: u64,
    /// Where a copy of everything is kept for the logger of another host; none: the directory is all there is.
    pub mirror: Option<Arc<dyn ObjectStore>>,
    /// Who it is to other hosts; none: it serves this host alone, in the clear.
    pub identity: Option<Identity>,
}

impl Config {
    /// The defaults: 127.0.0.1:8088, 100 MiB per app, 10 GiB in all, segments of 8 MiB.
    pub fn new(directory: PathBuf, internal_key: &str) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8088)),
            directory,
            internal_key: internal_key.to_owned(),
            retention_bytes_per_app: 100 << 20,
            retention_bytes: 10 << 30,
            segment_bytes: 8 << 20,
            mirror: None,
            identity: None,
        }
    }
}
