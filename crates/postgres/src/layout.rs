//! Where the files of one member are.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The folders and files below a member's directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What etcd keeps.
    pub(crate) fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }

    /// There from the moment this member founds a cluster until the cluster has answered once.
    pub(crate) fn founding(&self) -> PathBuf {
        self.root.join("founding")
    }

    /// What Patroni may make, move and remove.
    pub(crate) fn postgres(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// The database itself.
    pub(crate) fn data(&self) -> PathBuf {
        self.postgres().join("data")
    }

    /// Where Patroni puts a database that could not be made.
    pub(crate) fn failed_data(&self) -> PathBuf {
        self.postgres().join("data.failed")
    }

    /// There while the database is being made or copied: what is there then is only a part of one.
    pub(crate) fn incomplete(&self) -> PathBuf {
        self.postgres().join("incomplete")
    }

    /// Settings that are written anew at every start.
    pub(crate) fn settings(&self, name: &str) -> PathBuf {
        self.root.join("settings").join(name)
    }

    /// Sockets, which end with who made them.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Where PostgreSQL hands over its write-ahead log.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("archive.sock")
    }

    /// What the next bootstrap is to restore, if anything else than the newest state.
    pub(crate) fn restore_target(&self) -> PathBuf {
        self.root.join("restore-to")
    }

    /// Whether there is a database.
    pub(crate) fn has_data(&self) -> bool {
        is_filled(&self.data())
    }

    /// Whether PostgreSQL runs, or ran until something killed it.
    pub(crate) fn is_running(&self) -> bool {
        self.data().join("postmaster.pid").exists()
    }

    /// Whether somebody listens on PostgreSQL's socket: what a killed one leaves behind does not count.
    pub(crate) fn is_served(&self) -> bool {
        let entries = std::fs::read_dir(self.run()).into_iter().flatten().flatten();
        let mut sockets =
            entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".s.PGSQL."));
        sockets.any(|socket| UnixStream::connect(socket.path()).is_ok())
    }

    /// Whether etcd has ever run here.
    pub(crate) fn has_etcd(&self) -> bool {
        is_filled(&self.etcd().join("member"))
    }
}

fn is_filled(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}
