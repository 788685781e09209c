//! Settings: the platform's own keys and values, per target.

use std::collections::BTreeMap;

use crate::query::query;
use crate::{Database, DatabaseError};

/// The target whose settings all routers are told.
const ROUTER: &str = "router";

impl Database {
    /// The value of `key` of `target`, as of `registrationMode` of `controller`.
    pub async fn setting(&self, target: &str, key: &str) -> Result<Option<String>, DatabaseError> {
        let select = query("SELECT value FROM settings WHERE target = $1 AND key = $2");
        self.row(select.bind(target).bind(key)).await?.map(|row| row.text("value")).transpose()
    }

    /// All settings of `target`.
    pub async fn settings(&self, target: &str) -> Result<BTreeMap<String, String>, DatabaseError> {
        let rows = self.rows(query("SELECT key, value FROM settings WHERE target = $1").bind(target)).await?;
        rows.iter().map(|row| Ok((row.text("key")?, row.text("value")?))).collect()
    }

    /// Sets and, where the value is none, removes settings of `target`, all of them together.
    pub async fn change_settings(
        &self,
        target: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            for (key, value) in changes {
                let statement = match value {
                    Some(value) => query(
                        "INSERT INTO settings (target, key, value) VALUES ($1, $2, $3) \
                         ON CONFLICT (target, key) DO UPDATE SET value = $3",
                    )
                    .bind(target)
                    .bind(key)
                    .bind(value),
                    None => {
                        query("DELETE FROM settings WHERE target = $1 AND key = $2").bind(target).bind(key)
                    }
                };
                transaction.execute(statement).await?;
            }
            if target == ROUTER {
                transaction.touch_platform();
            }
            transaction.commit().await
        })
        .await
    }
}
