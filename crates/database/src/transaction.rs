//! A transaction: statements that take effect together or not at all.
//!
//! Begun and ended by statements of its own instead of the driver's transactions: on a full disk SQLite rolls back by
//! itself, after which the driver would take the connection, the only one that writes, for busy until a restart.

use std::sync::Arc;

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteArguments, SqlitePool};

use crate::DatabaseError;
use crate::row::Row;

/// A statement with its values.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// `sql` with `$1`, `$2`, … still to be bound.
pub(crate) fn query<'q>(sql: &'static str) -> Query<'q> {
    sqlx::query(sql)
}

/// Dropped without [`Transaction::commit`], it changes nothing.
pub(crate) struct Transaction {
    /// There until the transaction ended.
    connection: Option<PoolConnection<Sqlite>>,
    path: Arc<str>,
}

impl Transaction {
    /// Begins a transaction with the statement `begin` on a connection of `pool` to the database at `path`.
    pub(crate) async fn begin(
        pool: &SqlitePool,
        begin: &'static str,
        path: Arc<str>,
    ) -> Result<Self, DatabaseError> {
        let connection = pool.acquire().await.map_err(|error| DatabaseError::engine(&path, error))?;
        // Before the statement runs: a caller who gives up while it does must leave no transaction behind.
        let mut transaction = Self { connection: Some(connection), path };
        transaction.execute(query(begin)).await?;
        Ok(transaction)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query<'_>) -> Result<u64, DatabaseError> {
        let done = query.execute(&mut **self.connection()).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Reads all rows.
    pub(crate) async fn rows(&mut self, query: Query<'_>) -> Result<Vec<Row>, DatabaseError> {
        let rows = query.fetch_all(&mut **self.connection()).await.map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Reads the first row.
    pub(crate) async fn row(&mut self, query: Query<'_>) -> Result<Option<Row>, DatabaseError> {
        let row = query.fetch_optional(&mut **self.connection()).await.map_err(|error| self.failed(error))?;
        Ok(row.map(Row))
    }

    /// Makes it last.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        self.execute(query("COMMIT")).await?;
        self.connection = None;
        Ok(())
    }

    fn connection(&mut self) -> &mut PoolConnection<Sqlite> {
        self.connection.as_mut().expect("only commit, which consumes the transaction, takes the connection")
    }

    fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::engine(&self.path, error)
    }
}

impl Drop for Transaction {
    /// Rolls back before the connection goes to the next caller. Where SQLite has done so itself, that changes nothing.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                let _ = query("ROLLBACK").execute(&mut *connection).await;
            })),
            Err(_) => connection.close_on_drop(),
        }
    }
}
