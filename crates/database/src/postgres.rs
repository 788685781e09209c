//! PostgreSQL: one or several servers of which one, the primary, takes writes.
//!
//! Every call goes to the primary. When its connections fail, they are given up together and all servers are asked anew
//! which of them is the primary now; so a call survives a restart or a failover that is over soon enough.

mod listener;
mod primary;
mod session;
mod url;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgPool;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use crate::DatabaseError;
use crate::connection::Connection;
use crate::migrations;

pub(crate) use listener::listen;
pub(crate) use primary::Primary;
pub(crate) use session::Session;
pub(crate) use url::Servers;

/// How many reads one process runs at the same time.
const READERS: usize = 4;

/// How long a call waits for its turn among those of this process.
const TURN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server may take for one statement before it counts as away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait before the servers are asked again which of them is the primary.
const SEARCH_PAUSE: Duration = Duration::from_millis(200);

/// The servers of one database.
#[derive(Debug)]
pub(crate) struct Postgres {
    servers: Servers,
    /// One write of this process at a time; others would only wait in the server for the lock that it holds.
    writing: Arc<Semaphore>,
    reading: Arc<Semaphore>,
    /// The primary as last found.
    primary: Mutex<Option<Arc<Primary>>>,
    /// One search at a time.
    search: tokio::sync::Mutex<()>,
    /// What the last search that failed learned.
    reason: Mutex<String>,
}

impl Postgres {
    /// The servers of `url`; nothing is connected yet.
    pub(crate) fn new(url: &str) -> Result<Self, DatabaseError> {
        Ok(Self {
            servers: Servers::parse(url)?,
            writing: Arc::new(Semaphore::new(1)),
            reading: Arc::new(Semaphore::new(READERS)),
            primary: Mutex::new(None),
            search: tokio::sync::Mutex::new(()),
            reason: Mutex::new("no server has answered yet".to_owned()),
        })
    }

    /// Servers and database, as errors name them.
    pub(crate) fn name(&self) -> &str {
        self.servers.name()
    }

    /// Brings the schema up to date; of several processes one does.
    pub(crate) async fn migrate(&self, deadline: Instant) -> Result<(), DatabaseError> {
        let primary = self.primary(deadline).await?;
        let mut connection =
            primary.connect_patiently().await.map_err(|error| self.away(error.to_string()))?;
        let migrated = migrations::for_postgres().run_direct(None, &mut connection, false).await;
        // The schema is as it is; a connection that does not end politely changes nothing.
        let _ = connection.close().await;
        migrated.map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => self.failed(&primary, error),
            error => DatabaseError::Migrate { path: self.name().to_owned(), reason: error.to_string() },
        })
    }

    /// The connection that writes, once it is free.
    pub(crate) async fn writer(self: &Arc<Self>, deadline: Instant) -> Result<Connection, DatabaseError> {
        self.session(&self.writing, Primary::writer, deadline).await
    }

    /// One of those that read.
    pub(crate) async fn reader(self: &Arc<Self>, deadline: Instant) -> Result<Connection, DatabaseError> {
        self.session(&self.reading, Primary::reader, deadline).await
    }

    async fn session(
        self: &Arc<Self>,
        turns: &Arc<Semaphore>,
        pool: fn(&Primary) -> &PgPool,
        deadline: Instant,
    ) -> Result<Connection, DatabaseError> {
        let turn = timeout(TURN_TIMEOUT, Arc::clone(turns).acquire_owned()).await;
        let turn = turn
            .map_err(|_| self.away(format!("calls before this one have taken {} s", TURN_TIMEOUT.as_secs())))?
            .expect("nobody closes the semaphores");
        let primary = self.primary(deadline).await?;
        match pool(&primary).acquire().await {
            Ok(connection) => {
                Ok(Connection::Postgres(Session::new(connection, turn, Arc::clone(self), primary)))
            }
            Err(error) => Err(self.failed(&primary, error)),
        }
    }

    /// The primary; searched for, at least once and at most until `deadline`, if it is not known.
    pub(crate) async fn primary(&self, deadline: Instant) -> Result<Arc<Primary>, DatabaseError> {
        if let Some(primary) = self.known() {
            return Ok(primary);
        }
        let Ok(_search) = timeout_at(deadline, self.search.lock()).await else {
            return Err(self.away(self.reason().clone()));
        };
        loop {
            // Another call may have found it while this one waited for its turn to search.
            if let Some(primary) = self.known() {
                return Ok(primary);
            }
            match primary::find(&self.servers).await {
                Ok(primary) => return Ok(self.remember(primary)),
                Err(reason) => *self.reason() = reason,
            }
            if Instant::now() + SEARCH_PAUSE >= deadline {
                return Err(self.away(self.reason().clone()));
            }
            tokio::time::sleep(SEARCH_PAUSE).await;
        }
    }

    fn reason(&self) -> MutexGuard<'_, String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Option<Arc<Primary>> {
        self.primary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, primary: Primary) -> Arc<Primary> {
        info!(database = self.name(), primary = primary.address(), "the database answers");
        let primary = Arc::new(primary);
        *self.primary.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&primary));
        primary
    }

    /// Gives up the connections to `primary`: the next call searches.
    pub(crate) fn forget(&self, primary: &Arc<Primary>, reason: &str) {
        let mut known = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, primary)) {
            warn!(database = self.name(), primary = primary.address(), reason, "lost the database");
            *known = None;
        }
    }

    /// What the engine's `error` means. The primary is forgotten if it is about the connection.
    pub(crate) fn failed(&self, primary: &Arc<Primary>, error: sqlx::Error) -> DatabaseError {
        let lost = session::is_lost(&error);
        if lost {
            self.forget(primary, &error.to_string());
        }
        match lost || session::is_passing(&error) {
            true => self.away(format!("{}: {error}", primary.address())),
            false => DatabaseError::postgres(self.name(), error),
        }
    }

    fn away(&self, reason: String) -> DatabaseError {
        DatabaseError::Away { database: self.name().to_owned(), reason }
    }

    /// Closes the connections once the calls that are under way have ended.
    pub(crate) async fn close(&self) {
        if let Some(primary) = self.known() {
            primary.close().await;
        }
    }
}
