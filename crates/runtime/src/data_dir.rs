//! The data directory: everything the platform keeps on this machine.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::Role;

/// The root of what is kept on this machine; only its owner can enter it.
///
/// | path | holds |
/// |---|---|
/// | `deis.sqlite` | the database |
/// | `store/` | blobs |
/// | `secrets/` | keys, mode 0600 |
/// | `repositories/` | the builder's bare repositories |
/// | `logs/` | app logs |
/// | `router/` | the last route table |
/// | `spool/` | logspout's positions and unsent records |
/// | `journal/` | the platform's own logs |
/// | `run/` | status sockets, locks with process ids |
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("failed to use {} as data directory: {source}; check that it is on a writable disk and belongs to the user who runs deisd", path.display())]
pub struct DataDirError {
    path: PathBuf,
    source: io::Error,
}

impl DataDir {
    /// Makes the directory if it is missing and closes it to other users.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError { path: root.to_owned(), source };
        create_private(root).map_err(failed)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        Ok(Self { root })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A directory below it, made if missing.
    pub fn directory(&self, name: &str) -> Result<PathBuf, DataDirError> {
        let path = self.root.join(name);
        create_private(&path).map_err(|source| DataDirError { path: path.clone(), source })?;
        Ok(path)
    }

    /// Where `role` answers questions about itself.
    pub fn status_socket(&self, role: Role) -> PathBuf {
        self.root.join("run").join(format!("{role}.sock"))
    }
}

/// Where data is kept unless something else is said: `/var/lib/deis` for root, else `$XDG_DATA_HOME/deis` or
/// `~/.local/share/deis`.
pub fn default_root(variable: impl Fn(&str) -> Option<String>) -> PathBuf {
    let is_root = fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    let shared = || variable("XDG_DATA_HOME").filter(|path| path.starts_with('/')).map(PathBuf::from);
    let home = || variable("HOME").map(|home| Path::new(&home).join(".local/share"));
    match (is_root, shared().or_else(home)) {
        (false, Some(base)) => base.join("deis"),
        _ => PathBuf::from("/var/lib/deis"),
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
