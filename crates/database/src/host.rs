//! Hosts: machines whose publisher reported at least once.

use time::OffsetDateTime;

use crate::query::query;
use crate::row::microseconds;
use crate::{Database, DatabaseError};

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// When its publisher last reported, as far as it was noted.
    pub last_report: OffsetDateTime,
}

impl Database {
    /// All hosts, by name.
    pub async fn hosts(&self) -> Result<Vec<Host>, DatabaseError> {
        let rows = self.rows(query("SELECT * FROM hosts ORDER BY name")).await?;
        rows.iter()
            .map(|row| Ok(Host { name: row.text("name")?, last_report: row.time("last_report")? }))
            .collect()
    }

    /// Notes that the host reported at `at`, making it known if it was not.
    pub async fn touch_host(&self, name: &str, at: OffsetDateTime) -> Result<(), DatabaseError> {
        let upsert = "INSERT INTO hosts (name, last_report) VALUES ($1, $2) \
                      ON CONFLICT (name) DO UPDATE SET last_report = $2";
        self.execute(query(upsert).bind(name).bind(microseconds(at))).await.map(drop)
    }

    /// Forgets the host; one that is not known is success.
    pub async fn forget_host(&self, name: &str) -> Result<(), DatabaseError> {
        self.execute(query("DELETE FROM hosts WHERE name = $1").bind(name)).await.map(drop)
    }
}
