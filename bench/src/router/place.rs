//! What one router is given: addresses, a certificate, a directory, the app behind it and how many apps there are.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use super::certificate::Certificate;

/// What one router is given.
pub(super) struct Place {
    /// For its files; empty.
    pub(super) directory: PathBuf,
    /// Where to listen.
    pub(super) plain: SocketAddr,
    /// Where to listen for TLS.
    pub(super) tls: SocketAddr,
    /// Where the app is.
    pub(super) upstream: SocketAddr,
    /// Who hands out routes to those that ask.
    pub(super) controller: SocketAddr,
    /// How many apps have routes.
    pub(super) apps: usize,
    /// For all of them.
    pub(super) certificate: Certificate,
}

impl Place {
    /// Writes one of its files.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).expect("the directory is writable");
        path
    }

    /// Where it says what it has to say.
    pub(super) fn log(&self, name: &str) -> File {
        File::create(self.directory.join(format!("{name}.log"))).expect("the directory is writable")
    }
}

/// An address that nobody listened on a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}
