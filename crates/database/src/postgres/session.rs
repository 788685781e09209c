//! One connection to the primary, in use.

use std::future::Future;
use std::sync::Arc;

use sqlx::Postgres as Engine;
use sqlx::pool::PoolConnection;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::{ANSWER_TIMEOUT, Postgres, Primary};
use crate::DatabaseError;
use crate::query::Query;
use crate::row::Row;

/// SQLSTATEs with which a server ends a session, or says that it is not the primary.
const LOST_STATES: [&str; 8] = [
    "57P01", // ended by an administrator, as when the server stops
    "57P02", // ended because another session crashed
    "57P03", // the server starts or stops
    "57P05", // ended because it was idle
    "25P03", // ended because it was idle in a transaction
    "25006", // the server follows another one
    "53300", // no connection is free
    "0A000", // the schema changed under a prepared statement; a new session prepares it anew
];

/// SQLSTATEs after which the same transaction may succeed in the same session.
const PASSING_STATES: [&str; 3] = [
    "40001", // another transaction was faster
    "40P01", // a deadlock
    "55P03", // the lock was not to be had in time
];

/// A connection to the primary, in use; back in its pool when dropped.
pub(crate) struct Session {
    /// There until it is dropped.
    connection: Option<PoolConnection<Engine>>,
    /// Whether nobody else may use it, as when it still waits for an answer that nobody will read.
    broken: bool,
    server: Arc<Postgres>,
    primary: Arc<Primary>,
    _turn: OwnedSemaphorePermit,
}

impl Session {
    pub(super) fn new(
        connection: PoolConnection<Engine>,
        turn: OwnedSemaphorePermit,
        server: Arc<Postgres>,
        primary: Arc<Primary>,
    ) -> Self {
        Self { connection: Some(connection), broken: false, server, primary, _turn: turn }
    }

    /// The servers it belongs to.
    pub(crate) fn server(&self) -> &Arc<Postgres> {
        &self.server
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: &Query) -> Result<u64, DatabaseError> {
        let done = answer(query.postgres().execute(&mut **self.connection())).await;
        done.map(|done| done.rows_affected()).map_err(|error| self.failed(error))
    }

    /// Reads all rows.
    pub(crate) async fn rows(&mut self, query: &Query) -> Result<Vec<Row>, DatabaseError> {
        let rows = answer(query.postgres().fetch_all(&mut **self.connection())).await;
        let rows = rows.map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    /// Cuts the connection when it is dropped.
    pub(crate) fn give_up(&mut self) {
        self.broken = true;
    }

    fn connection(&mut self) -> &mut PoolConnection<Engine> {
        self.connection.as_mut().expect("only dropping takes the connection")
    }

    fn failed(&mut self, error: sqlx::Error) -> DatabaseError {
        self.broken |= is_lost(&error);
        self.server.failed(&self.primary, error)
    }
}

impl Drop for Session {
    /// A broken connection is cut: giving it back would wait for an answer.
    fn drop(&mut self) {
        if self.broken {
            drop(self.connection.take().map(PoolConnection::detach));
        }
    }
}

/// The answer, unless it takes so long that the server counts as away.
async fn answer<T>(asked: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let silent = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time");
    timeout(ANSWER_TIMEOUT, asked).await.unwrap_or_else(|_| Err(sqlx::Error::Io(silent())))
}

/// Whether the connection is of no use any more.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || LOST_STATES.contains(&&*code))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed => true,
        _ => false,
    }
}

/// Whether the same may succeed at once.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| PASSING_STATES.contains(&&*code))
}
