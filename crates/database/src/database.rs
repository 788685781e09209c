//! Opening the database, and its ways in: writes one at a time, reads beside them.

use std::future::Future;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::change::Changes;
use crate::connection::Connection;
use crate::lease::Fence;
use crate::patience::Patience;
use crate::postgres::Postgres;
use crate::query::Query;
use crate::row::Row;
use crate::sqlite::Sqlite;
use crate::transaction::Transaction;
use crate::{DatabaseError, migrations};

/// The platform's state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pub(crate) engine: Engine,
    pub(crate) changes: Arc<Changes>,
    /// The lease under which this handle writes.
    pub(crate) fence: Option<Arc<Fence>>,
}

/// What keeps it.
#[derive(Clone, Debug)]
pub(crate) enum Engine {
    /// A file, or memory.
    Sqlite(Arc<Sqlite>),
    /// A server, or several.
    Postgres(Arc<Postgres>),
}

/// How a transaction gets on with others.
#[derive(Clone, Copy)]
enum Way {
    /// The only one that writes.
    Write,
    /// Writes beside others.
    Beside,
    /// Reads one state.
    Snapshot,
}

impl Database {
    /// Opens the database at `url` and brings its schema up to date.
    ///
    /// - `sqlite:///absolute/path/deis.sqlite`, made if it is missing, or `sqlite::memory:` for one that ends with its
    ///   last clone.
    /// - `postgres://user:password@host1:5432,host2:5432/name`, which must exist, with `sslmode`, `sslrootcert`,
    ///   `sslcert` and `sslkey` as in libpq. Of several hosts the one that takes writes is used, whichever that is at
    ///   the time.
    pub fn open(url: &str) -> BoxFuture<'_, Result<Self, DatabaseError>> {
        Self::open_at(url).boxed()
    }

    async fn open_at(url: &str) -> Result<Self, DatabaseError> {
        let engine = match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "sqlite" => Engine::Sqlite(Arc::new(Sqlite::open(url).await?)),
            "postgres" | "postgresql" => Engine::Postgres(Arc::new(Postgres::new(url)?)),
            scheme => {
                let reason = format!("{scheme:?} is no database that is supported");
                return Err(DatabaseError::Url { url: format!("{scheme}:…"), reason });
            }
        };
        let database = Self { engine, changes: Arc::new(Changes::new()), fence: None };
        database.migrate().await?;
        Ok(database)
    }

    async fn migrate(&self) -> Result<(), DatabaseError> {
        match &self.engine {
            Engine::Sqlite(file) => {
                let migrate = async {
                    let mut connection = file.writing_pool().acquire().await?;
                    migrations::for_sqlite().run_direct(None, &mut *connection, false).await
                };
                migrate.await.map_err(|error| DatabaseError::Migrate {
                    path: file.path().to_owned(),
                    reason: error.to_string(),
                })
            }
            Engine::Postgres(server) => Patience::new().retry(|deadline| server.migrate(deadline)).await,
        }
    }

    /// Closes the connections once the calls that are under way have ended.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(file) => file.close().await,
            Engine::Postgres(server) => server.close().await,
        }
    }

    /// What errors call it: a file, or servers and name.
    pub(crate) fn name(&self) -> &str {
        match &self.engine {
            Engine::Sqlite(file) => file.path(),
            Engine::Postgres(server) => server.name(),
        }
    }

    /// Writes: `change` reads and writes in the transaction that it gets and commits it. What it wrote is gone unless
    /// it did.
    ///
    /// When the server is lost before that, `change` runs again on the next one: it may run several times, and only
    /// what the last run wrote is there.
    pub(crate) fn write<'a, T, F>(
        &'a self,
        change: impl Fn(Transaction) -> F + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T, DatabaseError>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, DatabaseError>> + Send + 'a,
    {
        self.transact(Way::Write, change)
    }

    /// Writes likewise, but beside other writers: rows that only such writes change, and lock.
    pub(crate) fn write_beside<'a, T, F>(
        &'a self,
        change: impl Fn(Transaction) -> F + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T, DatabaseError>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, DatabaseError>> + Send + 'a,
    {
        self.transact(Way::Beside, change)
    }

    /// Reads one and the same state several times; `read` may run again, as in [`Database::write`].
    pub(crate) fn snapshot<'a, T, F>(
        &'a self,
        read: impl Fn(Transaction) -> F + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T, DatabaseError>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, DatabaseError>> + Send + 'a,
    {
        self.transact(Way::Snapshot, read)
    }

    /// Begins such reads for a caller who repeats them on its own.
    pub(crate) async fn begin_snapshot(&self) -> Result<Transaction, DatabaseError> {
        self.begin(Way::Snapshot, Patience::new().deadline).await
    }

    /// Writes with one statement; returns how many rows it changed.
    pub(crate) async fn execute(&self, query: Query) -> Result<u64, DatabaseError> {
        let query = &query;
        self.write(|mut transaction| async move {
            let changed = transaction.execute(query.clone()).await?;
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }

    /// Reads the rows of one query.
    pub(crate) fn rows(&self, query: Query) -> BoxFuture<'_, Result<Vec<Row>, DatabaseError>> {
        async move {
            let query = &query;
            let read = |deadline| async move { self.reader(deadline).await?.rows(query).await };
            Patience::new().retry(read).await
        }
        .boxed()
    }

    /// Reads the first row of one query.
    pub(crate) async fn row(&self, query: Query) -> Result<Option<Row>, DatabaseError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    /// Runs `run` in a transaction of its own, again while the database is away.
    fn transact<'a, T, F>(
        &'a self,
        way: Way,
        run: impl Fn(Transaction) -> F + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T, DatabaseError>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, DatabaseError>> + Send + 'a,
    {
        async move {
            let run = &run;
            let attempt = |deadline| async move { run(self.begin(way, deadline).await?).await };
            Patience::new().retry(attempt).await
        }
        .boxed()
    }

    async fn begin(&self, way: Way, deadline: Instant) -> Result<Transaction, DatabaseError> {
        match (way, &self.engine) {
            (Way::Write, _) => {
                let connection = self.writer(deadline).await?;
                let mut transaction = Transaction::write(connection, &self.changes).await?;
                if let Some(fence) = &self.fence {
                    fence.check(&mut transaction).await?;
                }
                Ok(transaction)
            }
            // A file has one connection that writes.
            (Way::Beside, Engine::Sqlite(file)) => {
                Transaction::write_beside(file.writer().await?, &self.changes).await
            }
            (Way::Beside, Engine::Postgres(server)) => {
                Transaction::write_beside(server.reader(deadline).await?, &self.changes).await
            }
            (Way::Snapshot, _) => Transaction::snapshot(self.reader(deadline).await?, &self.changes).await,
        }
    }

    async fn writer(&self, deadline: Instant) -> Result<Connection, DatabaseError> {
        match &self.engine {
            Engine::Sqlite(file) => file.writer().await,
            Engine::Postgres(server) => server.writer(deadline).await,
        }
    }

    async fn reader(&self, deadline: Instant) -> Result<Connection, DatabaseError> {
        match &self.engine {
            Engine::Sqlite(file) => file.reader().await,
            Engine::Postgres(server) => server.reader(deadline).await,
        }
    }
}

#[cfg(test)]
mod tests;
