//! Why a router cannot start or go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a router cannot start or go on. What happens to single requests is not here: see the error pages.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// An address cannot be listened on.
    #[error(
        "failed to listen on {address} for {purpose}; another program may hold it (see `ss -ltnp`), or choose another address"
    )]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What comes in there.
        purpose: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A thread that serves visitors cannot be started.
    #[error("failed to start a thread for visitors' connections; raise the limits of threads and open files")]
    Core(#[source] io::Error),
    /// The directory of the last route table cannot be used.
    #[error("failed to use {} for the last route table; check that it is writable by the user who runs deisd", path.display())]
    StateDir {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
