//! SQLite: one connection that writes, several that read, in one file or in memory.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::DatabaseError;
use crate::connection::Connection;

/// How many reads run at the same time.
const READERS: u32 = 4;

/// How long a call waits for its connection. Writes take milliseconds: longer means that the disk hangs.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for another process that holds the database, as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A database in a file, or in memory.
#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: SqlitePool,
    reader: SqlitePool,
    path: Arc<str>,
}

impl Sqlite {
    /// Opens `sqlite:///absolute/path/deis.sqlite`, made if it is missing, or `sqlite::memory:`.
    pub(crate) async fn open(url: &str) -> Result<Self, DatabaseError> {
        let bad_url =
            |error: sqlx::Error| DatabaseError::Url { url: url.to_owned(), reason: error.to_string() };
        let options = SqliteConnectOptions::from_str(url).map_err(bad_url)?;
        match url.contains(":memory:") {
            true => Self::in_memory(options).await,
            false => Self::in_file(options).await,
        }
    }

    async fn in_file(options: SqliteConnectOptions) -> Result<Self, DatabaseError> {
        let path: Arc<str> = options.get_filename().display().to_string().into();
        let options = durable(options);
        let writer = pool(1).connect_with(options.clone().create_if_missing(true)).await;
        let writer = writer.map_err(|error| open_error(&path, &error))?;
        let reader = pool(READERS).connect_with(options.read_only(true)).await;
        let reader = reader.map_err(|error| open_error(&path, &error))?;
        Ok(Self { writer, reader, path })
    }

    /// One connection for all, since a second one would open a database of its own.
    async fn in_memory(options: SqliteConnectOptions) -> Result<Self, DatabaseError> {
        let path: Arc<str> = ":memory:".into();
        let options = options.in_memory(true).shared_cache(false).foreign_keys(true);
        let writer = pool(1).connect_with(options).await.map_err(|error| open_error(&path, &error))?;
        Ok(Self { reader: writer.clone(), writer, path })
    }

    /// The file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The pool of the connection that writes.
    pub(crate) fn writing_pool(&self) -> &SqlitePool {
        &self.writer
    }

    /// The connection that writes, once it is free.
    pub(crate) async fn writer(&self) -> Result<Connection, DatabaseError> {
        self.connection(&self.writer).await
    }

    /// One of those that read.
    pub(crate) async fn reader(&self) -> Result<Connection, DatabaseError> {
        self.connection(&self.reader).await
    }

    async fn connection(&self, pool: &SqlitePool) -> Result<Connection, DatabaseError> {
        let connection = pool.acquire().await.map_err(|error| DatabaseError::sqlite(&self.path, error))?;
        Ok(Connection::Sqlite { connection, path: Arc::clone(&self.path) })
    }

    /// Closes the connections once the calls that are under way have ended.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Connections that last as long as the pool: an idle one costs nothing, a new one re-reads the schema.
fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// A commit returns only after the disk has it: neither `kill -9` nor a power cut takes an acknowledged write back.
fn durable(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
}

fn open_error(path: &str, error: &sqlx::Error) -> DatabaseError {
    DatabaseError::Open { path: path.to_owned(), reason: error.to_string() }
}
