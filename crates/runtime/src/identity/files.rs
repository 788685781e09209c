//! A process's certificate in files, for a program or library that reads them from there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Identity;
use super::pem::{certificate_text, key_text};
use crate::Shutdown;
use crate::file::write_atomically;

/// Who is believed.
const ROOTS: &str = "roots.crt";
/// The leaf and its intermediate.
const CERTIFICATE: &str = "leaf.crt";
/// The leaf's key.
const KEY: &str = "leaf.key";
/// How often they are written anew: a leaf is valid for much longer.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// `roots.crt`, `leaf.crt` and `leaf.key` in one directory.
pub struct IdentityFiles {
    identity: Identity,
    directory: PathBuf,
}

impl IdentityFiles {
    /// Writes the files of `identity` into `directory`, which exists.
    pub fn write(identity: Identity, directory: &Path) -> io::Result<Self> {
        let files = Self { identity, directory: directory.to_owned() };
        files.refresh()?;
        Ok(files)
    }

    /// Writes them anew every hour until `shutdown`.
    pub async fn keep(self, shutdown: Shutdown) {
        while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            if let Err(error) = self.refresh() {
                let directory = self.directory.display();
                tracing::warn!(%error, %directory, "failed to renew the certificate in files; the old one ends within a day");
            }
        }
    }

    fn refresh(&self) -> io::Result<()> {
        let leaf = self.identity.keeper.current();
        let certificate: String = leaf.shown.cert.iter().map(certificate_text).collect();
        let write =
            |name: &str, text: &str| write_atomically(&self.directory.join(name), text.as_bytes(), 0o600);
        write(ROOTS, &self.identity.keeper.roots_text())?;
        // The key first: who reads a new key beside an old certificate only has to try again.
        write(KEY, &key_text(leaf.key.secret_pkcs8_der()))?;
        write(CERTIFICATE, &certificate)
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;
    use crate::identity::Authority;

    #[test]
    fn the_files_hold_what_the_process_shows() {
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path().join("bundle.pem");
        let authority = Authority::create().unwrap();
        std::fs::write(&bundle, authority.issue("controller").unwrap().to_pem()).unwrap();
        let identity = Identity::load(&bundle, "lab1").unwrap();
        let shown = identity.keeper.current();
        IdentityFiles::write(identity, directory.path()).unwrap();
        let read = |name: &str| {
            let found = CertificateDer::pem_file_iter(directory.path().join(name)).unwrap();
            found.collect::<Result<Vec<_>, _>>().unwrap()
        };
        assert_eq!(read(CERTIFICATE), shown.shown.cert);
        assert_eq!(read(ROOTS).len(), 1);
        assert!(PrivateKeyDer::from_pem_file(directory.path().join(KEY)).is_ok());
    }
}
