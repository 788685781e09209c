//! A connection to either engine.

use std::sync::Arc;

use sqlx::pool::PoolConnection;

use crate::DatabaseError;
use crate::postgres::Session;
use crate::query::Query;
use crate::row::Row;

/// A connection; back in its pool when dropped.
pub(crate) enum Connection {
    /// To a file.
    Sqlite {
        /// The connection.
        connection: PoolConnection<sqlx::Sqlite>,
        /// The file.
        path: Arc<str>,
    },
    /// To a server.
    Postgres(Session),
}

impl Connection {
    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: &Query) -> Result<u64, DatabaseError> {
        match self {
            Self::Sqlite { connection, path } => {
                let done = query.sqlite().execute(&mut **connection).await;
                Ok(done.map_err(|error| DatabaseError::sqlite(path, error))?.rows_affected())
            }
            Self::Postgres(session) => session.execute(query).await,
        }
    }

    /// Reads all rows.
    pub(crate) async fn rows(&mut self, query: &Query) -> Result<Vec<Row>, DatabaseError> {
        match self {
            Self::Sqlite { connection, path } => {
                let rows = query.sqlite().fetch_all(&mut **connection).await;
                let rows = rows.map_err(|error| DatabaseError::sqlite(path, error))?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(session) => session.rows(query).await,
        }
    }

    /// Reads the first row.
    pub(crate) async fn row(&mut self, query: &Query) -> Result<Option<Row>, DatabaseError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Cuts the connection when it is dropped, instead of giving it back.
    pub(crate) fn give_up(&mut self) {
        match self {
            Self::Sqlite { connection, .. } => connection.close_on_drop(),
            Self::Postgres(session) => session.give_up(),
        }
    }
}
