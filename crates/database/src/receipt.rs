//! Receipts: how a writer that lost the connection while it committed learns whether it had.
//!
//! Each transaction leaves a row with a token of its own. Whoever then holds the lock of writers knows that the
//! transaction has ended, and finds the token if it was committed. That holds on another server too, once that one is
//! the primary: what it lacks never was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::DatabaseError;
use crate::postgres::Postgres;
use crate::query::{Query, query};
use crate::row::new_uuid;
use crate::transaction::{POSTGRES_LOCK, POSTGRES_WRITE};

/// The server's time, in microseconds since 1970.
pub(crate) const CLOCK: &str =
    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS now";

/// Leaves the token, and sweeps up those of transactions that ended more than an hour ago.
const LEAVE: &str = "WITH swept AS (DELETE FROM receipts WHERE written < \
     CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) - 3600000000) \
     INSERT INTO receipts (token, written) \
     VALUES ($1, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT))";

/// Finds it. Writes, so that committing this waits for the standby: by then that has the first transaction too.
const FIND: &str = "UPDATE receipts SET written = written + 1 WHERE token = $1";

/// How long to try to find out.
const SEARCH: Duration = Duration::from_secs(5);

/// How long to wait between tries.
const PAUSE: Duration = Duration::from_millis(200);

/// The proof that a transaction was committed.
pub(crate) struct Receipt {
    server: Arc<Postgres>,
    token: String,
}

impl Receipt {
    /// A receipt for a transaction on `server`.
    pub(crate) fn new(server: &Arc<Postgres>) -> Self {
        Self { server: Arc::clone(server), token: new_uuid() }
    }

    /// The statement with which the transaction leaves it.
    pub(crate) fn leave(&self) -> Query {
        query(LEAVE).bind(&self.token)
    }

    /// Success if the transaction was committed, `Away` with `reason` if it was not, `Unconfirmed` if nobody can tell.
    pub(crate) async fn find(&self, reason: String) -> Result<(), DatabaseError> {
        let deadline = Instant::now() + SEARCH;
        loop {
            match self.look(deadline).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(DatabaseError::Away { database: self.database(), reason }),
                Err(_) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    return Err(DatabaseError::Unconfirmed {
                        database: self.database(),
                        reason: error.to_string(),
                    });
                }
            }
        }
    }

    async fn look(&self, deadline: Instant) -> Result<bool, DatabaseError> {
        let mut connection = self.server.writer(deadline).await?;
        // Cut afterwards, whatever happens: that ends the transaction too if this is abandoned halfway.
        connection.give_up();
        connection.execute(&query(POSTGRES_WRITE)).await?;
        connection.rows(&query(POSTGRES_LOCK)).await?;
        let found = connection.execute(&query(FIND).bind(&self.token)).await?;
        connection.execute(&query("COMMIT")).await?;
        Ok(found > 0)
    }

    fn database(&self) -> String {
        self.server.name().to_owned()
    }
}
