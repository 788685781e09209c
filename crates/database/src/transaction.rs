//! A transaction: statements that take effect together or not at all.
//!
//! Begun and ended by statements of its own instead of the driver's transactions: on a full disk SQLite rolls back by
//! itself, after which the driver would take the connection, the only one that writes, for busy until a restart.
//!
//! Of all processes one writes at a time, on PostgreSQL as on SQLite: what a transaction has read stays true until it
//! ends, so rules such as the next release's number need no care of their own. That is enough for what a platform
//! writes (deploys, scaling, logins); reads never wait for it. The alternative, serializable transactions, fail
//! whenever two overlap, and a lost commit could not be told from one that is under way: see [`crate::receipt`].

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;

use deis_model::AppId;

use crate::change::{CHANNEL, Change, Changes};
use crate::connection::Connection;
use crate::query::{Query, places, query};
use crate::receipt::Receipt;
use crate::row::{Row, now};
use crate::{DatabaseError, receipt};

/// How transactions begin in SQLite. Takes the write lock at once: one that read first and locked later could fail
/// halfway, because another process wrote in between.
const SQLITE_WRITE: &str = "BEGIN IMMEDIATE";

/// And how they begin to read one and the same state.
const SQLITE_SNAPSHOT: &str = "BEGIN";

/// Each statement sees what was committed before it, which is what was committed before the lock was taken. Stricter
/// levels would see what was there before the wait for the lock.
pub(crate) const POSTGRES_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

const POSTGRES_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// One writer at a time, whichever process it is in. The number only has to be the same for all of them.
pub(crate) const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7235421)";

/// How many apps one statement notes, and how many are told of one by one.
const BATCH: usize = 500;

/// Dropped without [`Transaction::commit`], it changes nothing.
pub(crate) struct Transaction {
    /// There until the transaction ended.
    connection: Option<Connection>,
    /// How to find out whether it was committed.
    receipt: Option<Receipt>,
    changed: BTreeSet<Change>,
    changes: Arc<Changes>,
}

impl Transaction {
    /// Begins to write, after every other writer has ended.
    pub(crate) async fn write(connection: Connection, changes: &Arc<Changes>) -> Result<Self, DatabaseError> {
        let mut transaction = Self::begin(connection, changes, SQLITE_WRITE, POSTGRES_WRITE).await?;
        if let Some(Connection::Postgres(session)) = &transaction.connection {
            transaction.receipt = Some(Receipt::new(session.server()));
            transaction.rows(query(POSTGRES_LOCK)).await?;
        }
        Ok(transaction)
    }

    /// Begins to write rows that nobody else writes without locking them, beside other writers where there are any.
    pub(crate) async fn write_beside(
        connection: Connection,
        changes: &Arc<Changes>,
    ) -> Result<Self, DatabaseError> {
        Self::begin(connection, changes, SQLITE_WRITE, POSTGRES_WRITE).await
    }

    /// Begins several reads of one and the same state.
    pub(crate) async fn snapshot(
        connection: Connection,
        changes: &Arc<Changes>,
    ) -> Result<Self, DatabaseError> {
        Self::begin(connection, changes, SQLITE_SNAPSHOT, POSTGRES_SNAPSHOT).await
    }

    async fn begin(
        connection: Connection,
        changes: &Arc<Changes>,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Result<Self, DatabaseError> {
        let begin = match connection {
            Connection::Sqlite { .. } => sqlite,
            Connection::Postgres(_) => postgres,
        };
        let (connection, changes) = (Some(connection), Arc::clone(changes));
        // Before the statement runs: a caller who gives up while it does must leave no transaction behind.
        let mut transaction = Self { connection, receipt: None, changed: BTreeSet::new(), changes };
        transaction.execute(query(begin)).await?;
        Ok(transaction)
    }

    /// Runs a statement; returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64, DatabaseError> {
        self.connection().execute(&query).await
    }

    /// Reads all rows.
    pub(crate) async fn rows(&mut self, query: Query) -> Result<Vec<Row>, DatabaseError> {
        self.connection().rows(&query).await
    }

    /// Reads the first row.
    pub(crate) async fn row(&mut self, query: Query) -> Result<Option<Row>, DatabaseError> {
        self.connection().row(&query).await
    }

    /// The time by the one clock that all processes share: the server's, or this machine's.
    pub(crate) async fn clock(&mut self) -> Result<OffsetDateTime, DatabaseError> {
        match self.connection() {
            Connection::Sqlite { .. } => Ok(now()),
            Connection::Postgres(_) => {
                let row = self.row(query(receipt::CLOCK)).await?;
                row.ok_or(DatabaseError::Missing)?.time("now")
            }
        }
    }

    /// Tells everybody, once it is committed, that what is wanted of `app` changed.
    pub(crate) fn touch(&mut self, app: &AppId) {
        self.changed.insert(Change::App(app.clone()));
    }

    /// Notes that what routes of `apps` are made from changed beside their domains and releases.
    pub(crate) async fn revise(&mut self, apps: &BTreeSet<AppId>) -> Result<(), DatabaseError> {
        let apps: Vec<&AppId> = apps.iter().collect();
        for part in apps.chunks(BATCH) {
            let update =
                format!("UPDATE apps SET routing = routing + 1 WHERE id IN ({})", places(1, part.len()));
            let update = part.iter().fold(query(update), |update, app| update.bind(app.as_str()));
            self.execute(update).await?;
        }
        match apps.len() > BATCH {
            true => self.touch_all(),
            false => apps.iter().for_each(|app| self.touch(app)),
        }
        Ok(())
    }

    /// Notes the same of all apps.
    pub(crate) async fn revise_all(&mut self) -> Result<(), DatabaseError> {
        self.execute(query("UPDATE apps SET routing = routing + 1")).await?;
        self.touch_all();
        Ok(())
    }

    /// Tells everybody, once it is committed, that what all routers are told changed.
    pub(crate) fn touch_platform(&mut self) {
        self.changed.insert(Change::Platform);
    }

    /// Tells everybody, once it is committed, that anything may have changed.
    pub(crate) fn touch_all(&mut self) {
        self.changed.insert(Change::All);
    }

    /// Makes it last.
    pub(crate) async fn commit(mut self) -> Result<(), DatabaseError> {
        match self.connection() {
            Connection::Sqlite { .. } => {
                self.execute(query("COMMIT")).await?;
                self.connection = None;
                let changed = std::mem::take(&mut self.changed);
                changed.into_iter().for_each(|change| self.changes.send(change));
                Ok(())
            }
            Connection::Postgres(_) => self.commit_on_server().await,
        }
    }

    async fn commit_on_server(mut self) -> Result<(), DatabaseError> {
        for change in std::mem::take(&mut self.changed) {
            let notify = query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(change.text());
            self.rows(notify).await?;
        }
        if let Some(receipt) = &self.receipt {
            let leave = receipt.leave();
            self.execute(leave).await?;
        }
        let committed = self.execute(query("COMMIT")).await;
        // First, since finding out takes the connection that writes.
        self.connection = None;
        match (committed, self.receipt.take()) {
            (Err(DatabaseError::Away { reason, .. }), Some(receipt)) => receipt.find(reason).await,
            (committed, _) => committed.map(drop),
        }
    }

    fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("only commit, which consumes the transaction, takes the connection")
    }
}

impl Drop for Transaction {
    /// Rolls back before the connection goes to the next caller. Where SQLite has done so itself, that changes nothing.
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                let _ = connection.execute(&query("ROLLBACK")).await;
            })),
            Err(_) => connection.give_up(),
        }
    }
}
