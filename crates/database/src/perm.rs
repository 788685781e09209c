//! Perms: which users may work on apps that are not theirs. Their certificates serve those apps, too.

use deis_model::AppId;

use crate::query::query;
use crate::row::{microseconds, now};
use crate::{Database, DatabaseError};

impl Database {
    /// Lets `username` work on `app`. Again is success.
    pub async fn grant(&self, app: &AppId, username: &str) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            let insert = "INSERT INTO perms (app, username, created) VALUES ($1, $2, $3) \
                          ON CONFLICT (app, username) DO NOTHING";
            let insert = query(insert).bind(app.as_str()).bind(username).bind(microseconds(now()));
            transaction.execute(insert).await?;
            transaction.revise(&[app.clone()].into()).await?;
            transaction.commit().await
        })
        .await
    }

    /// Takes that back; tells whether there was something to take.
    pub async fn revoke(&self, app: &AppId, username: &str) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            let delete = query("DELETE FROM perms WHERE app = $1 AND username = $2");
            let deleted = transaction.execute(delete.bind(app.as_str()).bind(username)).await? > 0;
            transaction.revise(&[app.clone()].into()).await?;
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }

    /// The users who were granted access, by name; the owner is not among them.
    pub async fn collaborators(&self, app: &AppId) -> Result<Vec<String>, DatabaseError> {
        let select = query("SELECT username FROM perms WHERE app = $1 ORDER BY username");
        let rows = self.rows(select.bind(app.as_str())).await?;
        rows.iter().map(|row| row.text("username")).collect()
    }
}
