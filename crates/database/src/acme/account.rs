//! Authorities, and the platform's account at each.

use time::OffsetDateTime;

use crate::query::query;
use crate::row::{Row, microseconds};
use crate::{Database, DatabaseError};

/// The platform's account at an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeAccount {
    /// The account and its key, as the protocol's client keeps them, sealed; none before there is one.
    pub sealed_credentials: Option<String>,
    /// Where the authority writes to; may be empty.
    pub email: String,
    /// How often in a row the authority failed.
    pub failures: u32,
    /// It is left alone until then.
    pub retry_at: OffsetDateTime,
    /// How it failed last.
    pub problem: Option<String>,
    /// When the hour began in which orders began last.
    pub hour: OffsetDateTime,
    /// How many orders began in that hour.
    pub begun: u32,
}

impl Database {
    /// The account at the authority with this directory.
    pub async fn acme_account(&self, directory: &str) -> Result<Option<AcmeAccount>, DatabaseError> {
        let select = query("SELECT * FROM acme_accounts WHERE directory = $1").bind(directory);
        self.row(select).await?.as_ref().map(read_account).transpose()
    }

    /// Keeps an account; none forgets it.
    pub async fn save_acme_account(
        &self,
        directory: &str,
        sealed_credentials: Option<&str>,
        email: &str,
    ) -> Result<(), DatabaseError> {
        let save = "INSERT INTO acme_accounts \
                    (directory, sealed_credentials, email, failures, retry_at, hour, begun) \
                    VALUES ($1, $2, $3, 0, 0, 0, 0) \
                    ON CONFLICT (directory) DO UPDATE SET sealed_credentials = $2, email = $3";
        self.execute(query(save).bind(directory).bind(sealed_credentials).bind(email)).await.map(drop)
    }

    /// Notes what the authority was told to write to.
    pub async fn note_acme_email(&self, directory: &str, email: &str) -> Result<(), DatabaseError> {
        let update = query("UPDATE acme_accounts SET email = $2 WHERE directory = $1");
        self.execute(update.bind(directory).bind(email)).await.map(drop)
    }

    /// Notes that an authority failed, or with no failures that it works.
    pub async fn note_acme_authority(
        &self,
        directory: &str,
        failures: u32,
        retry_at: OffsetDateTime,
        problem: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let note = "INSERT INTO acme_accounts \
                    (directory, email, failures, retry_at, problem, hour, begun) \
                    VALUES ($1, '', $2, $3, $4, 0, 0) \
                    ON CONFLICT (directory) DO UPDATE SET failures = $2, retry_at = $3, problem = $4";
        let note = query(note).bind(directory).bind(i64::from(failures));
        self.execute(note.bind(microseconds(retry_at)).bind(problem)).await.map(drop)
    }
}

fn read_account(row: &Row) -> Result<AcmeAccount, DatabaseError> {
    Ok(AcmeAccount {
        sealed_credentials: row.optional_text("sealed_credentials")?,
        email: row.text("email")?,
        failures: row.count("failures")?,
        retry_at: row.time("retry_at")?,
        problem: row.optional_text("problem")?,
        hour: row.time("hour")?,
        begun: row.count("begun")?,
    })
}
