//! Opening the database, and its two ways in: one connection that writes, several that read.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::DatabaseError;
use crate::row::Row;
use crate::transaction::{Query, Transaction};

/// How many reads run at the same time.
const READERS: u32 = 4;

/// How long a call waits for its connection. Writes take milliseconds: longer means that the disk hangs.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for another process that holds the database, as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The schema, in the order in which it grew. A migration that was released never changes again.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "state", include_str!("../migrations/0001_state.sql"))];

/// The platform's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    writer: SqlitePool,
    reader: SqlitePool,
    path: Arc<str>,
}

impl Database {
    /// Opens the database at `url`, makes it if it is missing and brings its schema up to date.
    ///
    /// `sqlite:///absolute/path/deis.sqlite`, or `sqlite::memory:` for one that ends with its last clone.
    pub async fn open(url: &str) -> Result<Self, DatabaseError> {
        let bad_url = || DatabaseError::Url { url: url.to_owned() };
        if !url.starts_with("sqlite:") {
            return Err(bad_url());
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|_| bad_url())?;
        let database = match url.contains(":memory:") {
            true => Self::in_memory(options).await?,
            false => Self::in_file(options).await?,
        };
        database.migrate().await?;
        Ok(database)
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

    async fn migrate(&self) -> Result<(), DatabaseError> {
        let migrations = MIGRATIONS.map(|(version, name, sql)| {
            Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        let migrator = Migrator::with_migrations(migrations.into());
        migrator.run(&self.writer).await.map_err(|error| DatabaseError::Migrate {
            path: self.path.to_string(),
            reason: error.to_string(),
        })
    }

    /// Closes the connections once the calls that are under way have ended.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Begins to write. What it wrote is gone unless [`Transaction::commit`] returned.
    ///
    /// Takes the write lock at once: a transaction that read first and locked later could fail halfway, because
    /// another process wrote in between.
    pub(crate) async fn begin(&self) -> Result<Transaction, DatabaseError> {
        Transaction::begin(&self.writer, "BEGIN IMMEDIATE", Arc::clone(&self.path)).await
    }

    /// Begins several reads of one and the same state.
    pub(crate) async fn snapshot(&self) -> Result<Transaction, DatabaseError> {
        Transaction::begin(&self.reader, "BEGIN", Arc::clone(&self.path)).await
    }

    /// Writes with one statement; returns how many rows it changed.
    pub(crate) async fn execute(&self, query: Query<'_>) -> Result<u64, DatabaseError> {
        let mut transaction = self.begin().await?;
        let changed = transaction.execute(query).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Reads the rows of one query.
    pub(crate) async fn rows(&self, query: Query<'_>) -> Result<Vec<Row>, DatabaseError> {
        let rows = query.fetch_all(&self.reader).await.map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Reads the first row of one query.
    pub(crate) async fn row(&self, query: Query<'_>) -> Result<Option<Row>, DatabaseError> {
        let row = query.fetch_optional(&self.reader).await.map_err(|error| self.failed(error))?;
        Ok(row.map(Row))
    }

    fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::engine(&self.path, error)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewUser;
    use crate::transaction::query;

    async fn add_user(database: &Database, number: u32) -> Result<(), DatabaseError> {
        let user = NewUser {
            username: format!("user-{number}"),
            email: "x".repeat(2000),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: String::new(),
        };
        database.create_user(user).await.map(drop)
    }

    #[tokio::test]
    async fn a_full_disk_is_named_and_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deis.sqlite").display().to_string();
        let database = Database::open(&format!("sqlite://{path}")).await.unwrap();
        // SQLite answers the same as on a full disk when a database reaches its limit of pages.
        query("PRAGMA max_page_count = 1").execute(&database.writer).await.unwrap();
        let mut written = 0;
        let error = loop {
            match add_user(&database, written).await {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, DatabaseError::Full { path: full } if *full == path), "{error}");
        let users = database.users(crate::Slice::first(1)).await.unwrap();
        assert_eq!(users.total, u64::from(written), "reads go on");
        query("PRAGMA max_page_count = 100000").execute(&database.writer).await.unwrap();
        add_user(&database, written).await.unwrap();
    }
}
