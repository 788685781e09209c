//! What one router is given: addresses, a certificate, a directory, the app behind it and how many apps there are.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::certificate::Certificate;

/// What one router is given.
#[derive(Clone)]
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
    /// The hosts of all apps, and one more if there is one.
    pub(super) fn hosts(&self, more: Option<&str>) -> impl Iterator<Item = String> {
        (0..self.apps).map(super::host).chain(more.map(str::to_owned))
    }

    /// Writes one of its files.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).expect("the directory is writable");
        path
    }

    /// Where it says what it has to say.
    pub(super) fn log(&self, name: &str) -> File {
        File::create(self.log_path(name)).expect("the directory is writable")
    }

    /// What it has said so far.
    pub(super) fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }
}
