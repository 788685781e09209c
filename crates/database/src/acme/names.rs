//! All names that lead to apps, with what decides whether they get certificates.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deis_model::AppId;
use deis_model::acme::{AUTO, AppNames};
use deis_model::routing::parse_switch;
use time::OffsetDateTime;

use crate::query::query;
use crate::row::microseconds;
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// The users whose certificates are served for an app, beside administrators.
type Workers = BTreeMap<AppId, BTreeSet<String>>;

/// The names in certificates that users uploaded, with who did.
type Uploads = HashMap<String, BTreeSet<String>>;

impl Database {
    /// The names of all apps, with those in uploaded certificates that are still valid at `now`.
    pub async fn acme_names(&self, now: OffsetDateTime) -> Result<Vec<AppNames>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            let (workers, admins) = workers(&mut snapshot).await?;
            let uploads = uploads(&mut snapshot, now).await?;
            let mut apps: BTreeMap<AppId, AppNames> = BTreeMap::new();
            for app in workers.keys() {
                let (domains, uploaded) = Default::default();
                apps.insert(app.clone(), AppNames { app: app.clone(), domains, auto: None, uploaded });
            }
            for row in snapshot.rows(query("SELECT host, app FROM domains ORDER BY host")).await? {
                let (app, host) = (row.app("app")?, row.text("host")?);
                let Some(names) = apps.get_mut(&app) else { continue };
                let may = |user: &String| admins.contains(user) || workers[&app].contains(user);
                names.uploaded.extend(covering(&uploads, &host, may));
                names.domains.push(host);
            }
            let settings = query("SELECT app, value FROM app_settings WHERE key = $1").bind(AUTO);
            for row in snapshot.rows(settings).await? {
                if let Some(names) = apps.get_mut(&row.app("app")?) {
                    names.auto = parse_switch(&row.text("value")?);
                }
            }
            Ok(apps.into_values().collect())
        })
        .await
    }
}

/// Who may work on each app, and who on all.
async fn workers(snapshot: &mut Transaction) -> Result<(Workers, BTreeSet<String>), DatabaseError> {
    let mut workers = Workers::new();
    let rows = "SELECT id AS app, owner AS username FROM apps UNION SELECT app, username FROM perms";
    for row in snapshot.rows(query(rows)).await? {
        workers.entry(row.app("app")?).or_default().insert(row.text("username")?);
    }
    let admins = snapshot.rows(query("SELECT username FROM users WHERE is_admin = 1")).await?;
    Ok((workers, admins.iter().map(|row| row.text("username")).collect::<Result<_, _>>()?))
}

async fn uploads(snapshot: &mut Transaction, now: OffsetDateTime) -> Result<Uploads, DatabaseError> {
    let select = "SELECT certificate_names.name AS name, certificates.owner AS owner FROM certificate_names \
                  JOIN certificates ON certificates.id = certificate_names.certificate \
                  WHERE certificates.expires > $1";
    let mut uploads = Uploads::new();
    for row in snapshot.rows(query(select).bind(microseconds(now))).await? {
        uploads.entry(row.text("name")?).or_default().insert(row.text("owner")?);
    }
    Ok(uploads)
}

/// The names by which `host` is covered, of certificates of users who `may`.
fn covering(uploads: &Uploads, host: &str, may: impl Fn(&String) -> bool) -> Vec<String> {
    let above = host.split_once('.').map(|(_, above)| format!("*.{above}"));
    let names = std::iter::once(host.to_owned()).chain(above);
    names.filter(|name| uploads.get(name).is_some_and(|owners| owners.iter().any(&may))).collect()
}
