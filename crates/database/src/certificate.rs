//! Certificates: what users uploaded to serve their domains with.

mod served;

use std::collections::BTreeSet;

use deis_model::certificate::wildcards_above;
use deis_model::{AppId, Certificate};
use time::OffsetDateTime;

use crate::query::{Query, places, query};
use crate::row::{Row, microseconds, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};
use served::revise;

/// How many values one statement has at most.
const BATCH: usize = 500;

/// Of certificates whose owner may work on the app `$1`.
const MAY_SERVE: &str = "(owner IN (SELECT owner FROM apps WHERE id = $1) \
                         OR owner IN (SELECT username FROM perms WHERE app = $1) \
                         OR owner IN (SELECT username FROM users WHERE is_admin = 1))";

/// A certificate to be kept.
#[derive(Clone, Copy)]
pub struct NewCertificate<'a> {
    /// Who uploads it.
    pub owner: &'a str,
    /// What it is called.
    pub common_name: &'a str,
    /// PEM: the certificate, then those that vouch for it.
    pub chain: &'a str,
    /// Its key, sealed.
    pub sealed_key: &'a str,
    /// The host names that it is for, in lower case; the first label may be `*`.
    pub names: &'a [String],
    /// The last second in which it is valid.
    pub expires: OffsetDateTime,
}

/// A certificate and its key, as kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPair {
    /// What it is called.
    pub common_name: String,
    /// PEM: the certificate, then those that vouch for it.
    pub chain: String,
    /// Its key, sealed.
    pub sealed_key: String,
}

impl Database {
    /// Adds a certificate, on a platform at `domain`; also which apps it serves. `Taken` if there is one that is called
    /// the same.
    pub async fn add_certificate(
        &self,
        new: NewCertificate<'_>,
        domain: &str,
    ) -> Result<(Certificate, BTreeSet<AppId>), DatabaseError> {
        self.write(|mut transaction| async move {
            let newest = "SELECT COALESCE(MAX(id), 0) AS newest FROM certificates";
            let newest = transaction.row(query(newest)).await?.ok_or(DatabaseError::Missing)?;
            let certificate = record(newest.number("newest")? + 1, new);
            insert(&mut transaction, &certificate, new).await?;
            let served = revise(&mut transaction, new.owner, new.names, domain).await?;
            transaction.commit().await?;
            Ok((certificate, served))
        })
        .await
    }

    /// The certificates of a user, by name.
    pub async fn certificates(
        &self,
        owner: &str,
        slice: Slice,
    ) -> Result<Listing<Certificate>, DatabaseError> {
        let count = query("SELECT COUNT(*) AS total FROM certificates WHERE owner = $1");
        let count = self.row(count.bind(owner)).await?;
        let page = "SELECT * FROM certificates WHERE owner = $1 ORDER BY common_name LIMIT $2 OFFSET $3";
        let page = query(page).bind(owner).bind(slice.limit()).bind(slice.offset());
        let mut listing = Listing::read(count, &self.rows(page).await?, read)?;
        self.add_names(&mut listing.items).await?;
        Ok(listing)
    }

    /// The certificate of a user that is called `common_name`.
    pub async fn certificate(
        &self,
        owner: &str,
        common_name: &str,
    ) -> Result<Option<Certificate>, DatabaseError> {
        let select = query("SELECT * FROM certificates WHERE owner = $1 AND common_name = $2");
        let row = self.row(select.bind(owner).bind(common_name)).await?;
        let mut found = row.as_ref().map(read).transpose()?;
        self.add_names(found.as_mut_slice()).await?;
        Ok(found)
    }

    /// Removes the certificate of a user that is called `common_name`, on a platform at `domain`: which apps it served.
    /// None if there was no such certificate.
    pub async fn delete_certificate(
        &self,
        owner: &str,
        common_name: &str,
        domain: &str,
    ) -> Result<Option<BTreeSet<AppId>>, DatabaseError> {
        self.write(|mut transaction| async move {
            let select = "SELECT name FROM certificate_names WHERE certificate IN \
                          (SELECT id FROM certificates WHERE owner = $1 AND common_name = $2)";
            let rows = transaction.rows(query(select).bind(owner).bind(common_name)).await?;
            let names = rows.iter().map(|row| row.text("name")).collect::<Result<Vec<_>, _>>()?;
            let delete = query("DELETE FROM certificates WHERE owner = $1 AND common_name = $2");
            let deleted = transaction.execute(delete.bind(owner).bind(common_name)).await? > 0;
            let served = revise(&mut transaction, owner, &names, domain).await?;
            transaction.commit().await?;
            Ok(deleted.then_some(served))
        })
        .await
    }

    /// The certificates for the `hosts` of `app`, of users who may work on it, those that are valid longest first.
    pub async fn sealed_pairs(
        &self,
        app: &AppId,
        hosts: &[String],
    ) -> Result<Vec<SealedPair>, DatabaseError> {
        let mut found: Vec<(i64, i64, SealedPair)> = Vec::new();
        for hosts in hosts.chunks(BATCH / 2) {
            for row in self.rows(serving(app, hosts)).await? {
                let pair = SealedPair {
                    common_name: row.text("common_name")?,
                    chain: row.text("chain")?,
                    sealed_key: row.text("sealed_key")?,
                };
                found.push((row.number("expires")?, row.number("id")?, pair));
            }
        }
        found.sort_by_key(|(expires, id, _)| (-expires, -id));
        found.dedup_by_key(|(_, id, _)| *id);
        Ok(found.into_iter().map(|(.., pair)| pair).collect())
    }

    async fn add_names(&self, certificates: &mut [Certificate]) -> Result<(), DatabaseError> {
        for part in certificates.chunks_mut(BATCH) {
            let places = places(1, part.len());
            let select =
                format!("SELECT * FROM certificate_names WHERE certificate IN ({places}) ORDER BY name");
            let select = part.iter().fold(query(select), |select, found| select.bind(found.id));
            for row in self.rows(select).await? {
                let id = row.number("certificate")?;
                if let Some(certificate) = part.iter_mut().find(|certificate| certificate.id == id) {
                    certificate.names.push(row.text("name")?);
                }
            }
        }
        Ok(())
    }
}

fn record(id: i64, new: NewCertificate<'_>) -> Certificate {
    let now = now();
    Certificate {
        id,
        owner: new.owner.to_owned(),
        common_name: new.common_name.to_owned(),
        names: new.names.to_vec(),
        expires: new.expires,
        created: now,
        updated: now,
    }
}

async fn insert(
    transaction: &mut Transaction,
    certificate: &Certificate,
    new: NewCertificate<'_>,
) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO certificates \
                  (id, common_name, owner, chain, sealed_key, expires, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let insert = query(insert)
        .bind(certificate.id)
        .bind(new.common_name)
        .bind(new.owner)
        .bind(new.chain)
        .bind(new.sealed_key)
        .bind(microseconds(new.expires))
        .bind(microseconds(certificate.created))
        .bind(microseconds(certificate.updated));
    transaction.execute(insert).await?;
    for name in new.names {
        let insert = query("INSERT INTO certificate_names (certificate, name) VALUES ($1, $2)");
        transaction.execute(insert.bind(certificate.id).bind(name)).await?;
    }
    Ok(())
}

/// Those of `hosts`, and of wildcards, that certificates are named after which serve `hosts` of `app`.
fn serving(app: &AppId, hosts: &[String]) -> Query {
    let above = hosts.iter().filter_map(|host| wildcards_above(host).next());
    let names: BTreeSet<String> = hosts.iter().cloned().chain(above).collect();
    let below: Vec<String> =
        hosts.iter().filter_map(|host| Some(format!("%{}", host.strip_prefix('*')?))).collect();
    let mut condition = format!("name IN ({})", places(2, names.len()));
    for place in 0..below.len() {
        condition += &format!(" OR name LIKE ${}", 2 + names.len() + place);
    }
    let select = format!(
        "SELECT * FROM certificates WHERE {MAY_SERVE} \
         AND id IN (SELECT certificate FROM certificate_names WHERE {condition})"
    );
    let select = query(select).bind(app.as_str());
    names.iter().chain(&below).fold(select, |select, value| select.bind(value.as_str()))
}

fn read(row: &Row) -> Result<Certificate, DatabaseError> {
    Ok(Certificate {
        id: row.number("id")?,
        owner: row.text("owner")?,
        common_name: row.text("common_name")?,
        names: Vec::new(),
        expires: row.time("expires")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
