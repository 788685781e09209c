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
            Engine::Postgres(server) => {
                let patience = Patience::new();
                loop {
                    let attempt = server.migrate(patience.deadline).await;
                    if let Some(result) = patience.judge(attempt).await {
                        return result;
                    }
                }
            }
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
        async move {
            let patience = Patience::new();
            loop {
                let attempt = self.try_write(patience.deadline, &change).await;
                if let Some(result) = patience.judge(attempt).await {
                    return result;
                }
            }
        }
        .boxed()
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
        async move {
            let patience = Patience::new();
            loop {
                let attempt = self.try_write_beside(patience.deadline, &change).await;
                if let Some(result) = patience.judge(attempt).await {
                    return result;
                }
            }
        }
        .boxed()
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
        async move {
            let patience = Patience::new();
            loop {
                let attempt = self.try_snapshot(patience.deadline, &read).await;
                if let Some(result) = patience.judge(attempt).await {
                    return result;
                }
            }
        }
        .boxed()
    }

    /// Begins such reads for a caller who repeats them on its own.
    pub(crate) async fn begin_snapshot(&self) -> Result<Transaction, DatabaseError> {
        let connection = self.reader(Patience::new().deadline).await?;
        Transaction::snapshot(connection, &self.changes).await
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
            let patience = Patience::new();
            loop {
                let attempt = self.try_rows(patience.deadline, &query).await;
                if let Some(result) = patience.judge(attempt).await {
                    return result;
                }
            }
        }
        .boxed()
    }

    /// Reads the first row of one query.
    pub(crate) async fn row(&self, query: Query) -> Result<Option<Row>, DatabaseError> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    async fn try_write<T, F>(
        &self,
        deadline: Instant,
        change: &(impl Fn(Transaction) -> F + Sync),
    ) -> Result<T, DatabaseError>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        let connection = self.writer(deadline).await?;
        let mut transaction = Transaction::write(connection, &self.changes).await?;
        if let Some(fence) = &self.fence {
            fence.check(&mut transaction).await?;
        }
        change(transaction).await
    }

    async fn try_write_beside<T, F>(
        &self,
        deadline: Instant,
        change: &(impl Fn(Transaction) -> F + Sync),
    ) -> Result<T, DatabaseError>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        let connection = match &self.engine {
            Engine::Sqlite(file) => file.writer().await?,
            Engine::Postgres(server) => server.reader(deadline).await?,
        };
        change(Transaction::write_beside(connection, &self.changes).await?).await
    }

    async fn try_snapshot<T, F>(
        &self,
        deadline: Instant,
        read: &(impl Fn(Transaction) -> F + Sync),
    ) -> Result<T, DatabaseError>
    where
        F: Future<Output = Result<T, DatabaseError>>,
    {
        let connection = self.reader(deadline).await?;
        read(Transaction::snapshot(connection, &self.changes).await?).await
    }

    async fn try_rows(&self, deadline: Instant, query: &Query) -> Result<Vec<Row>, DatabaseError> {
        self.reader(deadline).await?.rows(query).await
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
mod tests {
    use super::*;
    use crate::NewUser;
    use crate::query::query;

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

    async fn limit_pages(database: &Database, sql: &'static str) {
        let mut writer = database.writer(Instant::now()).await.unwrap();
        writer.rows(&query(sql)).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_is_named_and_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deis.sqlite").display().to_string();
        let database = Database::open(&format!("sqlite://{path}")).await.unwrap();
        // SQLite answers the same as on a full disk when a database reaches its limit of pages.
        limit_pages(&database, "PRAGMA max_page_count = 1").await;
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
        limit_pages(&database, "PRAGMA max_page_count = 100000").await;
        add_user(&database, written).await.unwrap();
    }
}
