//! What can go wrong with the database.

use std::io;
use std::path::PathBuf;

/// Why something about the database could not be done.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The settings contradict each other.
    #[error("failed to use the settings of the database: {reason}")]
    Settings {
        /// What is wrong, and the cure.
        reason: String,
    },
    /// A program is missing.
    #[error("failed to find {program}; install the package {package}")]
    Program {
        /// Its name.
        program: &'static str,
        /// Where it comes from.
        package: &'static str,
    },
    /// There is no account to run as.
    #[error(
        "failed to find the account {name}, which PostgreSQL is to run as; make it, or install postgresql-15"
    )]
    Account {
        /// Its name.
        name: String,
    },
    /// A file cannot be used.
    #[error("failed to use {}: {source}; check its disk and its owner", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program did not do what it was started for.
    #[error("failed to run {program}: {reason}")]
    Run {
        /// Its name.
        program: String,
        /// What it said.
        reason: String,
    },
    /// Something over HTTP was refused or not answered.
    #[error("failed to {action} at {place}: {reason}")]
    Call {
        /// What was asked.
        action: &'static str,
        /// Who was asked.
        place: String,
        /// What came of it.
        reason: String,
    },
    /// The store has other bytes under a name than those that are to be kept.
    #[error(
        "the store has a different {name} of this database; two databases may write to one store: give each its own, \
         or remove the older one's objects"
    )]
    Differs {
        /// The file of the write-ahead log.
        name: String,
    },
    /// A name that is none of the write-ahead log's.
    #[error("{name:?} is not a file of the write-ahead log")]
    Name {
        /// What was given.
        name: String,
    },
    /// What the store holds is not what was put there.
    #[error(
        "{key} is damaged in the store: {reason}; restore an older state with `deisd database restore --to TIME`"
    )]
    Damaged {
        /// Its key.
        key: String,
        /// What does not fit.
        reason: String,
    },
    /// The store failed.
    #[error("failed to reach the store: {0}")]
    Store(#[from] deis_store::StoreError),
    /// Something on this host failed.
    #[error("failed to {action}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}
