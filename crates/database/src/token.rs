//! Tokens: what clients authenticate with. Only their digests are stored.

use deis_model::User;

use crate::query::query;
use crate::row::{microseconds, now};
use crate::transaction::Transaction;
use crate::user::read_user;
use crate::{Database, DatabaseError};

/// How many logins of one user are valid at the same time; a further one ends the oldest.
const KEPT_TOKENS: i64 = 100;

impl Database {
    /// Adds a token to those of `username` and notes the login.
    pub async fn add_token(&self, username: &str, digest: &str) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            insert_token(&mut transaction, username, digest).await?;
            let forget = "DELETE FROM tokens WHERE digest IN \
                          (SELECT digest FROM tokens WHERE username = $1 ORDER BY created DESC LIMIT 1000000 OFFSET $2)";
            transaction.execute(query(forget).bind(username).bind(KEPT_TOKENS)).await?;
            let login = query("UPDATE users SET last_login = $2 WHERE username = $1");
            transaction.execute(login.bind(username).bind(microseconds(now()))).await?;
            transaction.commit().await
        })
        .await
    }

    /// Makes the token the only one of `username`.
    pub async fn replace_tokens(&self, username: &str, digest: &str) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            transaction.execute(query("DELETE FROM tokens WHERE username = $1").bind(username)).await?;
            insert_token(&mut transaction, username, digest).await?;
            transaction.commit().await
        })
        .await
    }

    /// Ends every login of every user.
    pub async fn delete_all_tokens(&self) -> Result<(), DatabaseError> {
        self.execute(query("DELETE FROM tokens")).await.map(drop)
    }

    /// Whose token it is.
    pub async fn token_user(&self, digest: &str) -> Result<Option<User>, DatabaseError> {
        let select = "SELECT users.* FROM tokens JOIN users ON users.username = tokens.username \
                      WHERE tokens.digest = $1";
        let row = self.row(query(select).bind(digest)).await?;
        row.as_ref().map(read_user).transpose()
    }
}

async fn insert_token(
    transaction: &mut Transaction,
    username: &str,
    digest: &str,
) -> Result<(), DatabaseError> {
    let insert = query("INSERT INTO tokens (digest, username, created) VALUES ($1, $2, $3)");
    transaction.execute(insert.bind(digest).bind(username).bind(microseconds(now()))).await.map(drop)
}
