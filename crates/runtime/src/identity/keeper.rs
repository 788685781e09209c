//! Keeps a process's leaf fresh: looked at whenever a connection begins, so that it needs no task of its own.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::UnixTime;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;

use super::IdentityError;
use super::bundle::IdentityBundle;
use super::leaf::Leaf;
use super::pem::certificate_text;

/// When to begin to warn that a bundle ends: 60 days before.
const WARN_SECONDS: u64 = 60 * 24 * 60 * 60;

/// A bundle's file and what was made of it last.
pub(super) struct Keeper {
    path: PathBuf,
    host: String,
    role: String,
    clock: Arc<dyn TimeProvider>,
    held: Mutex<Held>,
}

struct Held {
    bundle: IdentityBundle,
    leaf: Arc<Leaf>,
    seen: Option<Stamp>,
}

/// What differs between a file and the one that takes its place: inode, size, time of change to the nanosecond.
type Stamp = (u64, u64, i64, i64);

impl Keeper {
    /// Reads the bundle at `path`.
    pub(super) fn open(path: &Path, host: &str, clock: Arc<dyn TimeProvider>) -> Result<Self, IdentityError> {
        let seen = stamp(path);
        let bundle = read(path)?;
        let leaf = Arc::new(Leaf::issue(&bundle, host, now(&clock))?);
        let role = bundle.role().to_owned();
        let held = Mutex::new(Held { bundle, leaf, seen });
        Ok(Self { path: path.to_owned(), host: host.to_owned(), role, clock, held })
    }

    /// The roots that are believed now, as text.
    pub(super) fn roots_text(&self) -> String {
        self.lock().bundle.roots.iter().map(certificate_text).collect()
    }

    /// Whose bundle it is.
    pub(super) fn role(&self) -> &str {
        &self.role
    }

    /// By which certificates are valid or not.
    pub(super) fn clock(&self) -> Arc<dyn TimeProvider> {
        Arc::clone(&self.clock)
    }

    /// The leaf for a connection that begins now.
    pub(super) fn current(&self) -> Arc<Leaf> {
        let mut held = self.lock();
        let seen = stamp(&self.path);
        if seen != held.seen {
            held.seen = seen;
            if let Err(error) = self.read_again(&mut held) {
                tracing::warn!(%error, "keeping the identity held before");
            }
        }
        if held.leaf.is_due(now(&self.clock)) {
            self.renew(&mut held);
        }
        Arc::clone(&held.leaf)
    }

    fn read_again(&self, held: &mut Held) -> Result<(), IdentityError> {
        let bundle = read(&self.path)?;
        if bundle.role() != self.role {
            return Err(IdentityError::OtherRole {
                held: self.role.clone(),
                offered: bundle.role().to_owned(),
            });
        }
        held.leaf = Arc::new(Leaf::issue(&bundle, &self.host, now(&self.clock))?);
        held.bundle = bundle;
        tracing::info!(role = self.role, "took up another identity bundle");
        Ok(())
    }

    fn renew(&self, held: &mut Held) {
        let now = now(&self.clock);
        if held.bundle.expires < now.as_secs() + WARN_SECONDS {
            let days = held.bundle.expires.saturating_sub(now.as_secs()) / (24 * 60 * 60);
            tracing::warn!(role = self.role, days, "the identity bundle ends soon; have it issued anew");
        }
        match Leaf::issue(&held.bundle, &self.host, now) {
            Ok(leaf) => held.leaf = Arc::new(leaf),
            Err(error) => tracing::warn!(%error, "failed to renew the certificate of this process"),
        }
    }

    /// The content, also after a panic elsewhere: parts are replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Keeper {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().shown))
    }
}

impl ResolvesClientCert for Keeper {
    fn resolve(&self, _roots: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().shown))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Keeper")
            .field("path", &self.path)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<IdentityBundle, IdentityError> {
    let text =
        fs::read_to_string(path).map_err(|source| IdentityError::Read { path: path.to_owned(), source })?;
    IdentityBundle::parse(&text)
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

/// A clock that cannot be read shows the system's time.
fn now(clock: &Arc<dyn TimeProvider>) -> UnixTime {
    clock.current_time().unwrap_or_else(UnixTime::now)
}
