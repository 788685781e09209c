//! Keys of TLS session tickets: kept here so that whoever leads next goes on with them.

use time::{Duration, OffsetDateTime};

use crate::query::query;
use crate::row::{Row, microseconds};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// A key, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedTicketKey {
    /// What tickets say that are sealed with it.
    pub name: String,
    /// The key, sealed.
    pub sealed_key: String,
    /// When it was made.
    pub created: OffsetDateTime,
}

impl Database {
    /// All keys, the newest first.
    pub async fn ticket_keys(&self) -> Result<Vec<SealedTicketKey>, DatabaseError> {
        self.snapshot(|mut snapshot| async move { ticket_keys(&mut snapshot).await }).await
    }

    /// Adds `next` unless there is a key that was made less than `age` before it, and drops the oldest but `kept`.
    /// All keys, the newest first.
    pub async fn rotate_ticket_keys(
        &self,
        next: &SealedTicketKey,
        age: Duration,
        kept: usize,
    ) -> Result<Vec<SealedTicketKey>, DatabaseError> {
        self.write(|mut transaction| async move {
            let mut keys = ticket_keys(&mut transaction).await?;
            if keys.first().is_some_and(|newest| next.created - newest.created < age) {
                return Ok(keys);
            }
            let insert = query("INSERT INTO ticket_keys (name, sealed_key, created) VALUES ($1, $2, $3)");
            let insert = insert.bind(&next.name).bind(&next.sealed_key).bind(microseconds(next.created));
            transaction.execute(insert).await?;
            keys.insert(0, next.clone());
            for old in keys.drain(kept.min(keys.len())..) {
                let delete = query("DELETE FROM ticket_keys WHERE name = $1").bind(&old.name);
                transaction.execute(delete).await?;
            }
            transaction.touch_platform();
            transaction.commit().await?;
            Ok(keys)
        })
        .await
    }
}

async fn ticket_keys(transaction: &mut Transaction) -> Result<Vec<SealedTicketKey>, DatabaseError> {
    let rows = transaction.rows(query("SELECT * FROM ticket_keys ORDER BY created DESC, name")).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<SealedTicketKey, DatabaseError> {
    Ok(SealedTicketKey {
        name: row.text("name")?,
        sealed_key: row.text("sealed_key")?,
        created: row.time("created")?,
    })
}
