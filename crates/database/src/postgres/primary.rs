//! Which of the servers is the primary, and the connections to it.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use tokio::time::timeout;

use super::url::{Server, Servers};

/// How long a server may take to say whether it is the primary.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to listen for a second primary once there is one: after a failover, the old one may not know yet.
const SECOND_PRIMARY_WAIT: Duration = Duration::from_millis(200);

/// How long a connection may take to be made to a server that has just answered.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How many connections a pool has. Who uses how many is decided before they are asked for.
const POOL_SIZE: u32 = 8;

/// What holds in every session, in milliseconds. A lock that is not to be had and a client that went silent within a
/// transaction end before callers lose patience.
///
/// There is no limit for statements: one would end a commit's wait for the standby, as if that had it.
const SESSION_LIMITS: [(&str, &str); 2] =
    [("lock_timeout", "4000"), ("idle_in_transaction_session_timeout", "10000")];

/// In one answer: whether it follows another server, and the timeline, which grows with every failover.
const PROBE: &str =
    "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE pg_walfile_name(pg_current_wal_lsn()) END";

/// The server that takes writes.
#[derive(Debug)]
pub(crate) struct Primary {
    address: String,
    options: PgConnectOptions,
    writer: PgPool,
    reader: PgPool,
}

impl Primary {
    fn new(server: &Server) -> Self {
        let options = server.options.clone().options(SESSION_LIMITS);
        Self {
            address: server.address.clone(),
            options: server.options.clone(),
            writer: pool(options.clone()),
            reader: pool(options),
        }
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Connections that write.
    pub(crate) fn writer(&self) -> &PgPool {
        &self.writer
    }

    /// Connections that read.
    pub(crate) fn reader(&self) -> &PgPool {
        &self.reader
    }

    /// A connection of its own, without limits on what it waits for.
    pub(crate) async fn connect_patiently(&self) -> Result<PgConnection, sqlx::Error> {
        let connection = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.options)).await;
        connection.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// A pool of its own with one connection.
    pub(crate) fn pool_of_one(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .connect_lazy_with(self.options.clone())
    }

    /// Closes the connections once the calls that are under way have ended.
    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// Asks all servers at once; of several primaries the one of the newest timeline. What each said if there is none.
pub(crate) async fn find(servers: &Servers) -> Result<Primary, String> {
    let mut asked: FuturesUnordered<_> = servers.iter().map(probe).collect();
    let mut found: Option<(String, &Server)> = None;
    let mut reasons = Vec::new();
    loop {
        let answer = match found.is_some() {
            true => timeout(SECOND_PRIMARY_WAIT, asked.next()).await.unwrap_or(None),
            false => asked.next().await,
        };
        match answer {
            None => break,
            Some((server, Ok(timeline))) => {
                if found.as_ref().is_none_or(|(newest, _)| *newest < timeline) {
                    found = Some((timeline, server));
                }
            }
            Some((server, Err(reason))) => reasons.push(format!("{}: {reason}", server.address)),
        }
    }
    reasons.sort();
    found.map(|(_, server)| Primary::new(server)).ok_or_else(|| reasons.join("; "))
}

/// The timeline of a primary, eight digits; why it is none otherwise.
async fn probe(server: &Server) -> (&Server, Result<String, String>) {
    let answer = match timeout(PROBE_TIMEOUT, ask(&server.options)).await {
        Ok(Ok(file)) if file.is_empty() => Err("it follows another server".to_owned()),
        Ok(Ok(file)) => Ok(file.chars().take(8).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
    };
    (server, answer)
}

async fn ask(options: &PgConnectOptions) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let file = sqlx::query_scalar(PROBE).fetch_one(&mut connection).await?;
    // It has answered; how the connection ends does not matter.
    let _ = connection.close().await;
    Ok(file)
}

/// Connections that are made when they are needed and kept while they work.
fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(POOL_SIZE)
        .acquire_timeout(CONNECT_TIMEOUT)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options)
}
