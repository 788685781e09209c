//! A disk that can be filled without harm.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::run;

/// How long mounting may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A small file system of its own. Dropped, it is gone.
pub struct SmallDisk {
    directory: tempfile::TempDir,
}

impl SmallDisk {
    /// One of `megabytes`; none, and a line that says so, for those who may not mount.
    pub fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::Builder::new()
            .prefix("deis-disk-")
            .tempdir()
            .expect("a temporary directory can be made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(directory.path());
        let mounted = run(&mut mount, TIMEOUT);
        if mounted.code != 0 {
            eprintln!("skipped: only root may mount a small disk: {}", mounted.stderr.trim());
            return None;
        }
        Some(Self { directory })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).expect("the disk can be written");
        let block = [0; 4096];
        while filler.write_all(&block).is_ok() {}
    }

    /// Makes room again.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.path()), TIMEOUT);
    }
}
