//! Routing settings of apps: keys and values, over those of the whole mesh.

use std::collections::BTreeMap;

use deis_model::AppId;

use crate::query::query;
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

impl Database {
    /// The routing settings of `app`.
    pub async fn app_settings(&self, app: &AppId) -> Result<BTreeMap<String, String>, DatabaseError> {
        self.snapshot(|mut snapshot| async move { app_settings(&mut snapshot, app).await }).await
    }

    /// Has `change` made of the routing settings of `app`, all together, and returns them. What `change` refuses is
    /// returned and changes nothing. `Missing` if there is no such app; `Taken` if another one has the same value of the
    /// key `unique`.
    pub async fn change_app_settings<E: Send>(
        &self,
        app: &AppId,
        unique: &str,
        change: impl Fn(&mut BTreeMap<String, String>) -> Result<(), E> + Send + Sync,
    ) -> Result<Result<BTreeMap<String, String>, E>, DatabaseError> {
        let change = &change;
        self.write(|mut transaction| async move {
            let exists = query("SELECT 1 FROM apps WHERE id = $1").bind(app.as_str());
            transaction.row(exists).await?.ok_or(DatabaseError::Missing)?;
            let before = app_settings(&mut transaction, app).await?;
            let mut after = before.clone();
            if let Err(refused) = change(&mut after) {
                return Ok(Err(refused));
            }
            if is_taken(&mut transaction, app, unique, after.get(unique)).await? {
                return Err(DatabaseError::Taken);
            }
            if after != before {
                replace(&mut transaction, app, &before, &after).await?;
                transaction.revise(&[app.clone()].into()).await?;
                transaction.commit().await?;
            }
            Ok(Ok(after))
        })
        .await
    }
}

async fn is_taken(
    transaction: &mut Transaction,
    app: &AppId,
    key: &str,
    value: Option<&String>,
) -> Result<bool, DatabaseError> {
    let Some(value) = value else { return Ok(false) };
    let select = query("SELECT 1 FROM app_settings WHERE key = $1 AND value = $2 AND app <> $3 LIMIT 1");
    Ok(transaction.row(select.bind(key).bind(value).bind(app.as_str())).await?.is_some())
}

async fn replace(
    transaction: &mut Transaction,
    app: &AppId,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<(), DatabaseError> {
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        let delete = query("DELETE FROM app_settings WHERE app = $1 AND key = $2");
        transaction.execute(delete.bind(app.as_str()).bind(key)).await?;
    }
    for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
        let upsert = "INSERT INTO app_settings (app, key, value) VALUES ($1, $2, $3) \
                      ON CONFLICT (app, key) DO UPDATE SET value = $3";
        transaction.execute(query(upsert).bind(app.as_str()).bind(key).bind(value)).await?;
    }
    Ok(())
}

/// The routing settings of `app`, within a larger read.
pub(crate) async fn app_settings(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<BTreeMap<String, String>, DatabaseError> {
    let select = query("SELECT key, value FROM app_settings WHERE app = $1").bind(app.as_str());
    let rows = transaction.rows(select).await?;
    rows.iter().map(|row| Ok((row.text("key")?, row.text("value")?))).collect()
}
