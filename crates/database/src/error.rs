//! Why a call of the database failed.

use deis_model::AppId;

/// What went wrong, on what, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The URL is not one of a database that is supported.
    #[error("failed to understand the database URL {url:?}: use sqlite:///absolute/path/deis.sqlite")]
    Url {
        /// As given.
        url: String,
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
    /// The app has a release that is being deployed; it must become deployed or failed first.
    #[error("{app} is deploying another release")]
    Busy {
        /// The app.
        app: AppId,
    },
    /// What was to be made exists, perhaps as somebody else's.
    #[error("it exists already")]
    Taken,
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
        /// The file.
        path: String,
        /// The engine's words.
        source: sqlx::Error,
    },
}

/// The result codes with which SQLite says that the disk is full: `SQLITE_FULL`, and `SQLITE_IOERR_SHMSIZE` for the
/// index of its write-ahead log.
const DISK_FULL_CODES: [&str; 2] = ["13", "4874"];

impl DatabaseError {
    /// What the engine's `source` means for the database at `path`.
    pub(crate) fn engine(path: &str, source: sqlx::Error) -> Self {
        let database = source.as_database_error();
        let code = database.and_then(|error| error.code().map(|code| code.into_owned()));
        if code.is_some_and(|code| DISK_FULL_CODES.contains(&code.as_str())) {
            return Self::Full { path: path.to_owned() };
        }
        match database.is_some_and(|error| error.is_unique_violation()) {
            true => Self::Taken,
            false => Self::Engine { path: path.to_owned(), source },
        }
    }
}
