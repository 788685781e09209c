//! Names with automatic certificates.

use std::collections::BTreeMap;

use deis_model::AppId;
use deis_model::acme::{Held, Progress, Validity};
use time::OffsetDateTime;

use crate::query::query;
use crate::row::{Row, microseconds};
use crate::{Database, DatabaseError};

/// How the certificate of one name stands, but for the certificate itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeState {
    /// What the plan goes by.
    pub progress: Progress,
    /// Why the last order failed, if none succeeded since.
    pub problem: Option<String>,
}

/// A certificate that is served for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmePair {
    /// The name.
    pub host: String,
    /// PEM: the certificate, then those that vouch for it.
    pub chain: String,
    /// Its key, sealed.
    pub sealed_key: String,
}

const STATE: &str = "host, directory, not_before, not_after, renew_at, order_directory, failures, retry_at, problem, \
                     idle_since";

/// The names that lead to the app `$1`, of which `$2` is its default.
const HOSTS: &str = "(host IN (SELECT host FROM domains WHERE app = $1) OR host = $2)";

impl Database {
    /// How all names stand that have, or are to get, an automatic certificate.
    pub async fn acme_states(&self) -> Result<BTreeMap<String, AcmeState>, DatabaseError> {
        let rows = self.rows(query(format!("SELECT {STATE} FROM acme_certificates"))).await?;
        rows.iter().map(read_state).collect()
    }

    /// How those stand that lead to `app`, at `default_host` among others.
    pub async fn acme_states_of(
        &self,
        app: &AppId,
        default_host: &str,
    ) -> Result<BTreeMap<String, AcmeState>, DatabaseError> {
        let select = query(format!("SELECT {STATE} FROM acme_certificates WHERE {HOSTS}"));
        let rows = self.rows(select.bind(app.as_str()).bind(default_host)).await?;
        rows.iter().map(read_state).collect()
    }

    /// The automatic certificates for names that lead to `app`, at `default_host` among others, by name.
    pub async fn acme_pairs_of(
        &self,
        app: &AppId,
        default_host: &str,
    ) -> Result<Vec<AcmePair>, DatabaseError> {
        let select = format!(
            "SELECT host, chain, sealed_key FROM acme_certificates \
             WHERE {HOSTS} AND chain IS NOT NULL ORDER BY host"
        );
        let rows = self.rows(query(select).bind(app.as_str()).bind(default_host)).await?;
        rows.iter().map(read_pair).collect()
    }

    /// The certificate for `host`, in PEM, with those that vouch for it.
    pub async fn acme_chain(&self, host: &str) -> Result<Option<String>, DatabaseError> {
        let select = query("SELECT chain FROM acme_certificates WHERE host = $1").bind(host);
        Ok(self.row(select).await?.map(|row| row.optional_text("chain")).transpose()?.flatten())
    }

    /// Notes when the authority wants the certificate for `host` renewed.
    pub async fn set_acme_renewal(&self, host: &str, renew_at: OffsetDateTime) -> Result<(), DatabaseError> {
        let update = query("UPDATE acme_certificates SET renew_at = $2 WHERE host = $1");
        self.execute(update.bind(host).bind(microseconds(renew_at))).await.map(drop)
    }

    /// Notes since when names lead nowhere; none: they lead somewhere again. What was ordered for them is given up.
    pub async fn set_acme_idle(
        &self,
        hosts: &[String],
        since: Option<OffsetDateTime>,
    ) -> Result<(), DatabaseError> {
        let update = "UPDATE acme_certificates SET idle_since = $2, order_directory = NULL, order_url = NULL, \
                      sealed_order_key = NULL WHERE host = $1";
        let since = since.map_or(0, microseconds);
        self.write(|mut transaction| async move {
            for host in hosts {
                transaction.execute(query(update).bind(host).bind(since)).await?;
            }
            transaction.commit().await
        })
        .await
    }

    /// Forgets everything about names.
    pub async fn forget_acme(&self, hosts: &[String]) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            for host in hosts {
                transaction
                    .execute(query("DELETE FROM acme_certificates WHERE host = $1").bind(host))
                    .await?;
            }
            transaction.commit().await
        })
        .await
    }
}

fn read_state(row: &Row) -> Result<(String, AcmeState), DatabaseError> {
    let directory = row.optional_text("directory")?;
    let certificate = directory.map(|directory| read_held(row, directory)).transpose()?;
    let progress = Progress {
        certificate,
        order: row.optional_text("order_directory")?,
        failures: row.count("failures")?,
        retry_at: row.time("retry_at")?,
        idle_since: time_or_none(row, "idle_since")?,
    };
    Ok((row.text("host")?, AcmeState { progress, problem: row.optional_text("problem")? }))
}

fn read_pair(row: &Row) -> Result<AcmePair, DatabaseError> {
    Ok(AcmePair { host: row.text("host")?, chain: row.text("chain")?, sealed_key: row.text("sealed_key")? })
}

fn read_held(row: &Row, directory: String) -> Result<Held, DatabaseError> {
    let validity = Validity { not_before: row.time("not_before")?, not_after: row.time("not_after")? };
    Ok(Held { directory, validity, renew_at: time_or_none(row, "renew_at")? })
}

fn time_or_none(row: &Row, column: &str) -> Result<Option<OffsetDateTime>, DatabaseError> {
    Ok(Some(row.time(column)?).filter(|time| *time != OffsetDateTime::UNIX_EPOCH))
}
