//! Names with automatic certificates.

use std::collections::{BTreeMap, BTreeSet};

use deis_model::AppId;
use deis_model::acme::{Held, Progress, Renewal, Suggestion, Validity};
use time::OffsetDateTime;

use crate::query::{Query, places, query};
use crate::row::{Row, microseconds};
use crate::transaction::Transaction;
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

const STATE: &str = "host, directory, not_before, not_after, order_directory, failures, retry_at, problem, \
                     idle_since, renewal_start, renewal_end, renewal_ask_at";

/// How many values one statement has at most.
const BATCH: usize = 500;

const PAIR: &str = "host, chain, sealed_key, idle_since";

impl Database {
    /// How all names stand that have, or are to get, an automatic certificate.
    pub async fn acme_states(&self) -> Result<BTreeMap<String, AcmeState>, DatabaseError> {
        let rows = self.rows(query(format!("SELECT {STATE} FROM acme_certificates"))).await?;
        rows.iter().map(read_state).collect()
    }

    /// How those of `hosts` stand that have, or are to get, one.
    pub async fn acme_states_of(
        &self,
        hosts: &[String],
    ) -> Result<BTreeMap<String, AcmeState>, DatabaseError> {
        let mut states = BTreeMap::new();
        for hosts in hosts.chunks(BATCH) {
            for row in self.rows(among(STATE, hosts)).await? {
                states.extend([read_state(&row)?]);
            }
        }
        Ok(states)
    }

    /// The automatic certificates for `hosts`, by name. None for those that are to have others.
    pub async fn acme_pairs(&self, hosts: &[String]) -> Result<Vec<AcmePair>, DatabaseError> {
        let mut pairs = Vec::new();
        for hosts in hosts.chunks(BATCH) {
            for row in self.rows(among(PAIR, hosts)).await? {
                if row.optional_text("chain")?.is_some() && row.number("idle_since")? == 0 {
                    pairs.push(read_pair(&row)?);
                }
            }
        }
        pairs.sort_by(|one, other| one.host.cmp(&other.host));
        Ok(pairs)
    }

    /// Notes since when names need no automatic certificate, on a platform at `domain`; none: they need one again. What
    /// was ordered for them is given up.
    pub async fn set_acme_idle(
        &self,
        hosts: &[String],
        since: Option<OffsetDateTime>,
        domain: &str,
    ) -> Result<(), DatabaseError> {
        let update = "UPDATE acme_certificates SET idle_since = $2, order_directory = NULL, order_url = NULL, \
                      sealed_order_key = NULL WHERE host = $1";
        let since = since.map_or(0, microseconds);
        self.write(|mut transaction| async move {
            let mut served = BTreeSet::new();
            for host in hosts {
                transaction.execute(query(update).bind(host).bind(since)).await?;
                served.extend(served_app(&mut transaction, host, domain).await?);
            }
            transaction.revise(&served).await?;
            transaction.commit().await
        })
        .await
    }

    /// Notes when the authority would have the certificate in `pair` renewed, and that it is asked again at `ask_at`. Does
    /// nothing if another one is served by now.
    pub async fn note_acme_renewal(
        &self,
        pair: &AcmePair,
        suggestion: Option<Suggestion>,
        ask_at: OffsetDateTime,
    ) -> Result<(), DatabaseError> {
        let note = "UPDATE acme_certificates SET renewal_start = $3, renewal_end = $4, renewal_ask_at = $5 \
                    WHERE host = $1 AND chain = $2";
        let [start, end] = suggestion
            .map_or([0, 0], |suggestion| [microseconds(suggestion.start()), microseconds(suggestion.end())]);
        let note = query(note).bind(&pair.host).bind(&pair.chain).bind(start).bind(end);
        self.execute(note.bind(microseconds(ask_at))).await.map(drop)
    }

    /// Notes that the authority is asked at `ask_at` when the certificates for `hosts` are to be renewed. What it said
    /// before stays.
    pub async fn put_off_acme_renewals(
        &self,
        hosts: &[String],
        ask_at: OffsetDateTime,
    ) -> Result<(), DatabaseError> {
        for hosts in hosts.chunks(BATCH) {
            let places = places(2, hosts.len());
            let update = format!("UPDATE acme_certificates SET renewal_ask_at = $1 WHERE host IN ({places})");
            let update = query(update).bind(microseconds(ask_at));
            self.execute(hosts.iter().fold(update, |update, host| update.bind(host))).await?;
        }
        Ok(())
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

/// `columns` of the rows of `hosts`.
fn among(columns: &str, hosts: &[String]) -> Query {
    let places = places(1, hosts.len());
    let select = format!("SELECT {columns} FROM acme_certificates WHERE host IN ({places})");
    hosts.iter().fold(query(select), |select, host| select.bind(host))
}

/// The app that `host` leads to on a platform at `domain`, if there may be one.
pub(super) async fn served_app(
    transaction: &mut Transaction,
    host: &str,
    domain: &str,
) -> Result<Option<AppId>, DatabaseError> {
    let default = host.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    if let Some(app) = default.and_then(|label| AppId::parse(label).ok()) {
        return Ok(Some(app));
    }
    let row = transaction.row(query("SELECT app FROM domains WHERE host = $1").bind(host)).await?;
    row.map(|row| row.app("app")).transpose()
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
    let (start, end) = (time_or_none(row, "renewal_start")?, time_or_none(row, "renewal_end")?);
    let suggestion = start.zip(end).and_then(|(start, end)| Suggestion::new(start, end));
    let renewal = Renewal { suggestion, ask_at: time_or_none(row, "renewal_ask_at")? };
    Ok(Held { directory, validity, renewal })
}

fn time_or_none(row: &Row, column: &str) -> Result<Option<OffsetDateTime>, DatabaseError> {
    Ok(Some(row.time(column)?).filter(|time| *time != OffsetDateTime::UNIX_EPOCH))
}
