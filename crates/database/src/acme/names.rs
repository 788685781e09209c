//! All names that lead to apps, with what decides whether they get certificates.

use std::collections::BTreeMap;

use deis_model::AppId;
use deis_model::acme::AppNames;

use crate::query::query;
use crate::{Database, DatabaseError};

impl Database {
    /// The names of all apps.
    pub async fn acme_names(&self) -> Result<Vec<AppNames>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            let mut apps: BTreeMap<AppId, AppNames> = BTreeMap::new();
            for row in snapshot.rows(query("SELECT id FROM apps")).await? {
                let app = row.app("id")?;
                let (domains, uploaded) = Default::default();
                apps.insert(app.clone(), AppNames { app, domains, auto: None, uploaded });
            }
            for row in snapshot.rows(query("SELECT host, app FROM domains ORDER BY host")).await? {
                if let Some(names) = apps.get_mut(&row.app("app")?) {
                    names.domains.push(row.text("host")?);
                }
            }
            Ok(apps.into_values().collect())
        })
        .await
    }
}
