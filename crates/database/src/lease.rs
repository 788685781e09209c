//! Leases: what only one process at a time may do, and the fence that holds back one which lost its lease unawares.
//!
//! A lease lasts for a time that its holder extends. Each time it is taken its epoch grows; a handle that writes under
//! an epoch which is not the lease's any more writes nothing. So a holder that was stopped, cut off or slow cannot undo
//! what its successor did, whatever its clock says.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::query::{RowLock, query};
use crate::row::{Row, microseconds};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for, as `controller`.
    pub name: String,
    /// Who took it.
    pub holder: String,
    /// Grows each time the lease is taken, by whomever; from 1.
    pub epoch: i64,
    /// How long it lasts without being renewed.
    pub ttl: Duration,
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// Who took it.
    pub holder: String,
    /// Where the holder said that it can be reached.
    pub address: String,
    /// Grows each time the lease is taken.
    pub epoch: i64,
    /// How much longer it lasts if it is not renewed.
    pub remaining: Duration,
}

/// What a handle checks before it writes.
#[derive(Debug)]
pub(crate) struct Fence {
    name: String,
    epoch: i64,
}

impl Database {
    /// Takes the lease called `name` for `ttl`; none while somebody else holds it.
    ///
    /// `holder` names one process. If it holds the lease already it gets it with a new epoch, which fences off whatever
    /// it began before, as before a restart. `address` is what others are told by [`Database::lease_holder`].
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        address: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, DatabaseError> {
        self.write_beside(|mut transaction| async move {
            let row = locked(&mut transaction, name).await?;
            let now = transaction.clock().await?;
            if row.time("expires_at")? > now && row.text("holder")? != holder {
                return Ok(None);
            }
            let epoch = row.number("epoch")? + 1;
            let update =
                "UPDATE leases SET holder = $2, address = $3, epoch = $4, expires_at = $5 WHERE name = $1";
            let update = query(update).bind(name).bind(holder).bind(address).bind(epoch);
            transaction.execute(update.bind(microseconds(now + ttl))).await?;
            transaction.commit().await?;
            Ok(Some(Lease { name: name.to_owned(), holder: holder.to_owned(), epoch, ttl }))
        })
        .await
    }

    /// Makes the lease last for its `ttl` from now. `Fenced` if somebody took it since.
    ///
    /// One that ran out is extended too as long as nobody took it.
    pub async fn renew_lease(&self, lease: &Lease) -> Result<(), DatabaseError> {
        self.write_beside(|mut transaction| async move {
            let expires = microseconds(transaction.clock().await? + lease.ttl);
            let update = query("UPDATE leases SET expires_at = $3 WHERE name = $1 AND epoch = $2");
            let update = update.bind(&lease.name).bind(lease.epoch).bind(expires);
            if transaction.execute(update).await? == 0 {
                return Err(DatabaseError::Fenced { lease: lease.name.clone() });
            }
            transaction.commit().await
        })
        .await
    }

    /// Gives the lease back, for anybody to take at once; nothing can be written under it any more.
    ///
    /// Success too if somebody took it since.
    pub async fn release_lease(&self, lease: &Lease) -> Result<(), DatabaseError> {
        self.write_beside(|mut transaction| async move {
            let update = "UPDATE leases SET epoch = epoch + 1, expires_at = 0 WHERE name = $1 AND epoch = $2";
            transaction.execute(query(update).bind(&lease.name).bind(lease.epoch)).await?;
            transaction.commit().await
        })
        .await
    }

    /// Who holds the lease; none if it was given back, ran out or was never taken.
    pub async fn lease_holder(&self, name: &str) -> Result<Option<LeaseRow>, DatabaseError> {
        self.snapshot(|mut transaction| async move {
            let select = query("SELECT * FROM leases WHERE name = $1").bind(name);
            let Some(row) = transaction.row(select).await? else { return Ok(None) };
            let now = transaction.clock().await?;
            transaction.commit().await?;
            read_holder(&row, now)
        })
        .await
    }

    /// A handle that writes only while `lease` was not taken again: otherwise its writes fail with `Fenced`.
    pub fn fenced(&self, lease: &Lease) -> Self {
        let fence = Fence { name: lease.name.clone(), epoch: lease.epoch };
        Self { fence: Some(Arc::new(fence)), ..self.clone() }
    }
}

impl Fence {
    /// Fails unless the epoch is still the lease's, and keeps it so until the transaction ends.
    pub(crate) async fn check(&self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        let select = query("SELECT epoch FROM leases WHERE name = $1").bind(&self.name);
        match transaction.row(select.locking(RowLock::Share)).await? {
            Some(row) if row.number("epoch")? == self.epoch => Ok(()),
            _ => Err(DatabaseError::Fenced { lease: self.name.clone() }),
        }
    }
}

/// The lease's row, made if it is missing, which nobody else changes until the transaction ends.
async fn locked(transaction: &mut Transaction, name: &str) -> Result<Row, DatabaseError> {
    let select = || query("SELECT * FROM leases WHERE name = $1").bind(name).locking(RowLock::Update);
    if let Some(row) = transaction.row(select()).await? {
        return Ok(row);
    }
    let insert = "INSERT INTO leases (name, holder, address, epoch, expires_at) VALUES ($1, '', '', 0, 0) \
                  ON CONFLICT (name) DO NOTHING";
    transaction.execute(query(insert).bind(name)).await?;
    transaction.row(select()).await?.ok_or(DatabaseError::Missing)
}

fn read_holder(row: &Row, now: OffsetDateTime) -> Result<Option<LeaseRow>, DatabaseError> {
    let remaining = Duration::try_from(row.time("expires_at")? - now).unwrap_or_default();
    if remaining.is_zero() {
        return Ok(None);
    }
    Ok(Some(LeaseRow {
        holder: row.text("holder")?,
        address: row.text("address")?,
        epoch: row.number("epoch")?,
        remaining,
    }))
}
