//! Repositories: which of the copies that builders keep in the store is the one that counts.

use crate::query::query;
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

impl Database {
    /// The name of the copy that counts of the repository of the app of this UUID; none before the first push.
    pub async fn repository_copy(&self, app: &str) -> Result<Option<String>, DatabaseError> {
        let select = query("SELECT copy FROM repositories WHERE app = $1").bind(app);
        self.row(select).await?.map(|row| row.text("copy")).transpose()
    }

    /// Makes `copy` the one that counts if `was` is that now; false, with nothing changed, if another one is. `Missing`
    /// if there is no such app.
    ///
    /// Success too when `copy` counts already, so that who did not hear of it may ask again.
    pub async fn replace_repository_copy(
        &self,
        app: &str,
        was: Option<&str>,
        copy: &str,
    ) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            let found = current(&mut transaction, app).await?;
            if found.as_deref() == Some(copy) {
                return Ok(true);
            }
            if found.as_deref() != was {
                return Ok(false);
            }
            let upsert = "INSERT INTO repositories (app, copy) VALUES ($1, $2) \
                 ON CONFLICT (app) DO UPDATE SET copy = $2";
            transaction.execute(query(upsert).bind(app).bind(copy)).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}

async fn current(transaction: &mut Transaction, app: &str) -> Result<Option<String>, DatabaseError> {
    let known = transaction.row(query("SELECT id FROM apps WHERE uuid = $1").bind(app)).await?;
    known.ok_or(DatabaseError::Missing)?;
    let select = query("SELECT copy FROM repositories WHERE app = $1").bind(app);
    transaction.row(select).await?.map(|row| row.text("copy")).transpose()
}
