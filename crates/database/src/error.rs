//! Why a call of the database failed.

use deis_model::{AppId, ReleaseState, ReleaseVersion};

/// What went wrong, on what, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is not one of a database that is supported.
    #[error(
        "failed to understand the database URL {url:?}: {reason}; use sqlite:///absolute/path/deis.sqlite or postgres://user:password@host1:5432,host2:5432/deis"
    )]
    Url {
        /// As given, without secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be opened.
    #[error(
        "failed to open the database {path}: {reason}; check that its directory exists, is writable and belongs to the user who runs deisd"
    )]
    Open {
        /// The file.
        path: String,
        /// The engine's words.
        reason: String,
    },
    /// The database belongs to another version of the platform.
    #[error(
        "failed to bring the database {path} up to date: {reason}; was it written by a newer version of deisd?"
    )]
    Migrate {
        /// The file.
        path: String,
        /// The engine's words.
        reason: String,
    },
    /// The disk has no room; nothing was written.
    #[error(
        "failed to write to the database {path}: its disk is full; free some space there, nothing was lost"
    )]
    Full {
        /// The file.
        path: String,
    },
    /// The database's servers give no answer, or none of them takes writes; nothing was written.
    ///
    /// Calls were repeated for some seconds before they failed so; later ones work as soon as the database does.
    #[error("failed to reach the database {database}: {reason}; nothing was changed, try again")]
    Away {
        /// Servers and name.
        database: String,
        /// What each server said, or why it is no use.
        reason: String,
    },
    /// The connection was lost while a change was made lasting, and no server can tell whether it was.
    #[error(
        "failed to learn whether the database {database} has made the last change: {reason}; look before you repeat it"
    )]
    Unconfirmed {
        /// Servers and name.
        database: String,
        /// What each server said, or why it is no use.
        reason: String,
    },
    /// Another holder has the lease under which this was to be written; nothing was.
    #[error("the lease {lease} has another holder by now; nothing was changed")]
    Fenced {
        /// Its name.
        lease: String,
    },
    /// A database that was to be filled has something in it.
    #[error(
        "failed to copy into the database {database}: its table {table} is not empty; name an empty database"
    )]
    NotEmpty {
        /// Where to.
        database: String,
        /// The first table with rows.
        table: &'static str,
    },
    /// A copy has not all rows; it was taken back.
    #[error("failed to copy table {table}: {copied} of {expected} rows arrived; nothing was kept, try again")]
    Incomplete {
        /// The table.
        table: &'static str,
        /// How many rows there should be.
        expected: u64,
        /// How many there were.
        copied: u64,
    },
    /// The app has a release under way; it must get where it goes, or fail, first.
    #[error("{}", busy(app, *version, *state))]
    Busy {
        /// The app.
        app: AppId,
        /// The release.
        version: ReleaseVersion,
        /// What is being done with it.
        state: ReleaseState,
    },
    /// What was to be made exists, perhaps as somebody else's.
    #[error("it exists already")]
    Taken,
    /// A wildcard of another owner's app is above a new domain, or a new wildcard above a domain of one.
    #[error("it overlaps with {domain}, which another owner's app has")]
    Overlaps {
        /// The other domain.
        domain: String,
    },
    /// What the call is about does not exist.
    #[error("it does not exist")]
    Missing,
    /// A user who owns apps cannot be deleted.
    #[error("{username} still owns apps")]
    OwnsApps {
        /// The user.
        username: String,
    },
    /// The platform's last administrator cannot step down.
    #[error("{username} is the only administrator")]
    LastAdmin {
        /// The user.
        username: String,
    },
    /// A row holds what this version cannot read.
    #[error("failed to read column {column} of the database: {reason}")]
    Column {
        /// Its name.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Any other failure of the engine.
    #[error("failed to use the database {path}: {source}")]
    Engine {
        /// The file, or servers and name.
        path: String,
        /// The engine's words.
        source: sqlx::Error,
    },
}

/// What the app is doing with a release that is under way, and what to do about it.
fn busy(app: &AppId, version: ReleaseVersion, state: ReleaseState) -> String {
    const CURE: &str = "wait for it, or end it with deis canary:end";
    match state {
        ReleaseState::Starting => format!("{app} is starting {version}, to try it out; {CURE}"),
        ReleaseState::Promoted => format!("{app} is deploying {version}, which was promoted; {CURE}"),
        _ => format!("{app} is deploying {version}; wait for it"),
    }
}

/// The codes with which the engines say that the disk is full: SQLite's `SQLITE_FULL` and `SQLITE_IOERR_SHMSIZE` for the
/// index of its write-ahead log, PostgreSQL's `disk_full`.
const SQLITE_FULL_CODES: [&str; 2] = ["13", "4874"];
const POSTGRES_FULL_CODES: [&str; 1] = ["53100"];

impl DatabaseError {
    /// What `source` means for the SQLite database at `path`.
    pub(crate) fn sqlite(path: &str, source: sqlx::Error) -> Self {
        Self::engine(path, source, &SQLITE_FULL_CODES)
    }

    /// What `source` means for the PostgreSQL database `name`.
    pub(crate) fn postgres(name: &str, source: sqlx::Error) -> Self {
        Self::engine(name, source, &POSTGRES_FULL_CODES)
    }

    fn engine(path: &str, source: sqlx::Error, full_codes: &[&str]) -> Self {
        let database = source.as_database_error();
        let code = database.and_then(|error| error.code());
        if code.is_some_and(|code| full_codes.contains(&&*code)) {
            return Self::Full { path: path.to_owned() };
        }
        match database.is_some_and(|error| error.is_unique_violation()) {
            true => Self::Taken,
            false => Self::Engine { path: path.to_owned(), source },
        }
    }
}
