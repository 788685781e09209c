//! The apps that a certificate serves: those concerned when it comes or goes.

use std::collections::BTreeSet;

use deis_model::AppId;
use deis_model::certificate::{covers, wildcards_above};

use crate::DatabaseError;
use crate::query::{places, query};
use crate::transaction::Transaction;

/// Of apps on which the user `$1` may work.
const MAY_WORK: &str = "(owner = $1 OR id IN (SELECT app FROM perms WHERE username = $1) \
                        OR EXISTS (SELECT 1 FROM users WHERE username = $1 AND is_admin = 1))";

/// Notes that the certificates of `owner` for `names` changed, for the apps that they serve: those.
pub(super) async fn revise(
    transaction: &mut Transaction,
    owner: &str,
    names: &[String],
    domain: &str,
) -> Result<BTreeSet<AppId>, DatabaseError> {
    let mut served = BTreeSet::new();
    for name in names {
        served.extend(served_by_default(transaction, owner, name, domain).await?);
        served.extend(served_by_domain(transaction, owner, name).await?);
    }
    transaction.revise(&served).await?;
    Ok(served)
}

/// The apps of `owner` at whose own host, `<app>.<domain>`, a certificate for `name` is asked for.
async fn served_by_default(
    transaction: &mut Transaction,
    owner: &str,
    name: &str,
    domain: &str,
) -> Result<Vec<AppId>, DatabaseError> {
    let first = name.strip_suffix(domain).and_then(|first| first.strip_suffix('.'));
    let Some(first) = first.filter(|first| !first.contains('.')) else { return Ok(Vec::new()) };
    let own = format!("SELECT id FROM apps WHERE {MAY_WORK}");
    let select = match first {
        "*" => query(own).bind(owner),
        first => query(own + " AND id = $2").bind(owner).bind(first),
    };
    transaction.rows(select).await?.iter().map(|row| row.app("id")).collect()
}

/// The apps of `owner` with a domain at which a certificate for `name` is asked for.
async fn served_by_domain(
    transaction: &mut Transaction,
    owner: &str,
    name: &str,
) -> Result<Vec<AppId>, DatabaseError> {
    let hosts: Vec<String> = std::iter::once(name.to_owned()).chain(wildcards_above(name)).collect();
    let mut condition = format!("host IN ({})", places(2, hosts.len()));
    let below = name.strip_prefix('*').map(|above| format!("%{above}"));
    if below.is_some() {
        condition += &format!(" OR host LIKE ${}", 2 + hosts.len());
    }
    let select = format!(
        "SELECT host, app FROM domains WHERE ({condition}) \
         AND app IN (SELECT id FROM apps WHERE {MAY_WORK})"
    );
    let select = hosts
        .iter()
        .chain(&below)
        .fold(query(select).bind(owner), |select, value| select.bind(value.as_str()));
    let mut apps = Vec::new();
    for row in transaction.rows(select).await? {
        if covers(name, &row.text("host")?) {
            apps.push(row.app("app")?);
        }
    }
    Ok(apps)
}
