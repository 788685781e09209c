//! The programs of Debian's packages that a member consists of.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::DatabaseError;

/// Where Debian keeps PostgreSQL's own programs: one folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) patroni: PathBuf,
    /// The folder with `postgres`, `pg_ctl`, `psql` and `pg_basebackup` of one version.
    pub(crate) postgres: PathBuf,
}

impl Programs {
    /// Finds them, or names the first that is missing and its package.
    pub(crate) fn find() -> Result<Self, DatabaseError> {
        Ok(Self {
            etcd: on_path("etcd")
                .ok_or(DatabaseError::Program { program: "etcd", package: "etcd-server" })?,
            patroni: on_path("patroni")
                .ok_or(DatabaseError::Program { program: "patroni", package: "patroni" })?,
            postgres: newest(Path::new(VERSIONS))
                .ok_or(DatabaseError::Program { program: "postgres", package: "postgresql-15" })?,
        })
    }

    /// One of PostgreSQL's own programs.
    pub(crate) fn of_postgres(&self, name: &str) -> PathBuf {
        self.postgres.join(name)
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|found| found.is_file())
}

fn newest(versions: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(versions).ok()?.filter_map(Result::ok);
    let numbered =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())));
    let whole = numbered.map(|(number, path)| (number, path.join("bin")));
    whole.filter(|(_, path)| path.join("postgres").is_file()).max().map(|(_, path)| path)
}
