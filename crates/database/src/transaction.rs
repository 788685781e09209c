//! A transaction: statements that take effect together or not at all.

use std::sync::Arc;

use sqlx::Sqlite;
use sqlx::sqlite::SqliteArguments;

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
    inner: sqlx::Transaction<'static, Sqlite>,
    path: Arc<str>,
}

impl Transaction {
    /// Wraps what was begun on the database at `path`.
    pub(crate) fn new(inner: sqlx::Transaction<'static, Sqlite>, path: Arc<str>) -> Self {
        Self { inner, path }
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query<'_>) -> Result<u64, DatabaseError> {
        let done = query.execute(&mut *self.inner).await.map_err(|error| self.failed(error))?;
        Ok(done.rows_affected())
    }

    /// Reads all rows.
    pub(crate) async fn rows(&mut self, query: Query<'_>) -> Result<Vec<Row>, DatabaseError> {
        let rows = query.fetch_all(&mut *self.inner).await.map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Reads the first row.
    pub(crate) async fn row(&mut self, query: Query<'_>) -> Result<Option<Row>, DatabaseError> {
        let row = query.fetch_optional(&mut *self.inner).await.map_err(|error| self.failed(error))?;
        Ok(row.map(Row))
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<(), DatabaseError> {
        let Self { inner, path } = self;
        inner.commit().await.map_err(|error| DatabaseError::engine(&path, error))
    }

    fn failed(&self, error: sqlx::Error) -> DatabaseError {
        DatabaseError::engine(&self.path, error)
    }
}
