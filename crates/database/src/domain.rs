//! Domains: host names that users added to apps.

use deis_model::certificate::wildcards_above;
use deis_model::domain::host;
use deis_model::{AppId, Domain};

use crate::query::{places, query};
use crate::row::{Row, microseconds, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

impl Database {
    /// Adds `domain` to `app`.
    ///
    /// `Taken` if any app has it, however it is written, or if it is the default host of `default_of`, another app;
    /// `Overlaps` if it is below a wildcard of another owner's app, or a wildcard above a domain of one.
    pub async fn add_domain(
        &self,
        app: &AppId,
        owner: &str,
        domain: &str,
        default_of: Option<&AppId>,
    ) -> Result<Domain, DatabaseError> {
        self.write(|mut transaction| async move {
            let now = now();
            if let Some(other) = default_of.filter(|other| *other != app) {
                let exists = query("SELECT 1 FROM apps WHERE id = $1").bind(other.as_str());
                if transaction.row(exists).await?.is_some() {
                    return Err(DatabaseError::Taken);
                }
            }
            let host = host(domain);
            if let Some(other) = overlapping(&mut transaction, app, &host).await? {
                return Err(DatabaseError::Overlaps { domain: other });
            }
            let insert = "INSERT INTO domains (host, domain, app, owner, created, updated) \
                          VALUES ($1, $2, $3, $4, $5, $6)";
            let insert = query(insert)
                .bind(host)
                .bind(domain)
                .bind(app.as_str())
                .bind(owner)
                .bind(microseconds(now))
                .bind(microseconds(now));
            transaction.execute(insert).await?;
            // Whoever adds it anew has mended why it got no certificate.
            let forgive = "UPDATE acme_certificates SET failures = 0, retry_at = 0 WHERE host = $1";
            transaction.execute(query(forgive).bind(domain.to_ascii_lowercase())).await?;
            transaction.touch(app);
            transaction.commit().await?;
            let (app, owner, domain) = (app.clone(), owner.to_owned(), domain.to_owned());
            Ok(Domain { app, owner, domain, created: now, updated: now })
        })
        .await
    }

    /// The domains of an app, by name.
    pub async fn domains(&self, app: &AppId, slice: Slice) -> Result<Listing<Domain>, DatabaseError> {
        let count = query("SELECT COUNT(*) AS total FROM domains WHERE app = $1");
        let count = self.row(count.bind(app.as_str())).await?;
        let page = query("SELECT * FROM domains WHERE app = $1 ORDER BY host LIMIT $2 OFFSET $3");
        let rows = self.rows(page.bind(app.as_str()).bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_domain)
    }

    /// Takes `domain`, however it is written, from `app`; tells whether the app had it.
    pub async fn remove_domain(&self, app: &AppId, domain: &str) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            let delete = query("DELETE FROM domains WHERE app = $1 AND host = $2");
            let delete = delete.bind(app.as_str()).bind(host(domain));
            let deleted = transaction.execute(delete).await? > 0;
            if deleted {
                transaction.touch(app);
            }
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }

    /// The app that has `domain`, however it is written.
    pub async fn domain_app(&self, domain: &str) -> Result<Option<AppId>, DatabaseError> {
        let select = query("SELECT app FROM domains WHERE host = $1").bind(host(domain));
        self.row(select).await?.map(|row| row.app("app")).transpose()
    }

    /// All domains in lower case with their apps, by name.
    pub async fn route_domains(&self) -> Result<Vec<(String, AppId)>, DatabaseError> {
        let rows = self.rows(query("SELECT host, app FROM domains ORDER BY host")).await?;
        rows.iter().map(|row| Ok((row.text("host")?, row.app("app")?))).collect()
    }
}

/// A domain of another owner's app that `host` would take visitors from, or that would take some of its own.
async fn overlapping(
    transaction: &mut Transaction,
    app: &AppId,
    host: &str,
) -> Result<Option<String>, DatabaseError> {
    let related: Vec<String> = wildcards_above(host).collect();
    let below = host.strip_prefix('*').map(|above| format!("%{above}"));
    let mut conditions = Vec::new();
    if !related.is_empty() {
        conditions.push(format!("host IN ({})", places(2, related.len())));
    }
    if below.is_some() {
        conditions.push(format!("host LIKE ${}", 2 + related.len()));
    }
    if conditions.is_empty() {
        return Ok(None);
    }
    let select = format!(
        "SELECT domain FROM domains WHERE host <> ${own} AND ({}) AND app NOT IN \
         (SELECT id FROM apps WHERE owner IN (SELECT owner FROM apps WHERE id = $1)) ORDER BY host LIMIT 1",
        conditions.join(" OR "),
        own = 2 + related.len() + usize::from(below.is_some()),
    );
    let select = related
        .iter()
        .chain(&below)
        .fold(query(select).bind(app.as_str()), |select, value| select.bind(value.as_str()));
    transaction.row(select.bind(host)).await?.map(|row| row.text("domain")).transpose()
}

fn read_domain(row: &Row) -> Result<Domain, DatabaseError> {
    Ok(Domain {
        app: row.app("app")?,
        owner: row.text("owner")?,
        domain: row.text("domain")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
