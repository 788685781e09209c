//! Orders that are under way.

use deis_model::AppId;
use deis_model::acme::Validity;
use time::OffsetDateTime;

use super::AcmePair;
use super::certificate::served_app;
use crate::query::query;
use crate::row::{Row, microseconds};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// An order that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOrder {
    /// The directory of the authority.
    pub directory: String,
    /// Where the authority keeps it; none as long as it has not said so.
    pub url: Option<String>,
    /// The key of the certificate that was asked for, sealed; none before that.
    pub sealed_key: Option<String>,
}

impl Database {
    /// The order that is under way for `host`.
    pub async fn acme_order(&self, host: &str) -> Result<Option<AcmeOrder>, DatabaseError> {
        let select = "SELECT order_directory, order_url, sealed_order_key FROM acme_certificates \
                      WHERE host = $1 AND order_directory IS NOT NULL";
        self.row(query(select).bind(host)).await?.as_ref().map(read_order).transpose()
    }

    /// Begins an order for `host` in place of any other, as one more of those that began in the hour that began at
    /// `hour`.
    pub async fn begin_acme_order(
        &self,
        host: &str,
        directory: &str,
        hour: OffsetDateTime,
    ) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            count_order(&mut transaction, directory, hour).await?;
            let begin = "INSERT INTO acme_certificates \
                         (host, not_before, not_after, order_directory, failures, retry_at, idle_since) \
                         VALUES ($1, 0, 0, $2, 0, 0, 0) ON CONFLICT (host) DO UPDATE \
                         SET order_directory = $2, order_url = NULL, sealed_order_key = NULL";
            transaction.execute(query(begin).bind(host).bind(directory)).await?;
            transaction.commit().await
        })
        .await
    }

    /// Notes where the authority keeps the order for `host`.
    pub async fn place_acme_order(&self, host: &str, url: &str) -> Result<(), DatabaseError> {
        let place = "UPDATE acme_certificates SET order_url = $2, sealed_order_key = NULL WHERE host = $1";
        self.execute(query(place).bind(host).bind(url)).await.map(drop)
    }

    /// Keeps the key, sealed, of the certificate that is asked for next.
    pub async fn key_acme_order(&self, host: &str, sealed_key: &str) -> Result<(), DatabaseError> {
        let keep = "UPDATE acme_certificates SET sealed_order_key = $2 WHERE host = $1";
        self.execute(query(keep).bind(host).bind(sealed_key)).await.map(drop)
    }

    /// Ends the order for a name with its certificate, which is served from now on. No other begins before `rests_until`.
    ///
    /// The app that the name leads to by now, on a platform at `domain`: it may not be the one that it was ordered for.
    /// None if there is no such app, or no such order any more.
    pub async fn finish_acme_order(
        &self,
        pair: &AcmePair,
        domain: &str,
        validity: Validity,
        rests_until: OffsetDateTime,
    ) -> Result<Option<AppId>, DatabaseError> {
        self.write(|mut transaction| async move {
            let finish = "UPDATE acme_certificates SET directory = order_directory, chain = $2, sealed_key = $3, \
                          not_before = $4, not_after = $5, order_directory = NULL, order_url = NULL, \
                          sealed_order_key = NULL, failures = 0, retry_at = $6, problem = NULL, \
                          renewal_start = 0, renewal_end = 0, renewal_ask_at = 0 \
                          WHERE host = $1 AND order_directory IS NOT NULL";
            let finish = query(finish).bind(&pair.host).bind(&pair.chain).bind(&pair.sealed_key);
            let finish =
                finish.bind(microseconds(validity.not_before)).bind(microseconds(validity.not_after));
            let finish = finish.bind(microseconds(rests_until));
            if transaction.execute(finish).await? == 0 {
                return Ok(None);
            }
            let served = served_app(&mut transaction, &pair.host, domain).await?;
            transaction.revise(&served.iter().cloned().collect()).await?;
            transaction.commit().await?;
            Ok(served)
        })
        .await
    }

    /// Ends the order for `host` without one: no other begins before `retry_at`. The app that it leads to by now, on a
    /// platform at `domain`.
    pub async fn fail_acme_order(
        &self,
        host: &str,
        failures: u32,
        retry_at: OffsetDateTime,
        problem: &str,
        domain: &str,
    ) -> Result<Option<AppId>, DatabaseError> {
        let fail = "UPDATE acme_certificates SET order_directory = NULL, order_url = NULL, sealed_order_key = NULL, \
                    failures = $2, retry_at = $3, problem = $4 WHERE host = $1";
        self.write(|mut transaction| async move {
            let fail = query(fail).bind(host).bind(i64::from(failures));
            transaction.execute(fail.bind(microseconds(retry_at)).bind(problem)).await?;
            let served = served_app(&mut transaction, host, domain).await?;
            transaction.commit().await?;
            Ok(served)
        })
        .await
    }
}

/// Counts one more order in the hour that began at `hour`.
async fn count_order(
    transaction: &mut Transaction,
    directory: &str,
    hour: OffsetDateTime,
) -> Result<(), DatabaseError> {
    let count = "INSERT INTO acme_accounts (directory, email, failures, retry_at, hour, begun) \
                 VALUES ($1, '', 0, 0, $2, 1) ON CONFLICT (directory) DO UPDATE \
                 SET begun = CASE WHEN acme_accounts.hour = $2 THEN acme_accounts.begun + 1 ELSE 1 END, hour = $2";
    transaction.execute(query(count).bind(directory).bind(microseconds(hour))).await.map(drop)
}

fn read_order(row: &Row) -> Result<AcmeOrder, DatabaseError> {
    Ok(AcmeOrder {
        directory: row.text("order_directory")?,
        url: row.optional_text("order_url")?,
        sealed_key: row.optional_text("sealed_order_key")?,
    })
}
