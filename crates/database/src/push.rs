//! Pushes: who pushed what, when, from where.

use time::OffsetDateTime;

use deis_model::AppId;

use crate::query::query;
use crate::row::{microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// How many pushes of an app are remembered.
const KEPT_PUSHES: i64 = 1000;

/// A push to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPush {
    /// Username.
    pub owner: String,
    /// The commit.
    pub sha: String,
    /// The fingerprint of the key.
    pub fingerprint: String,
    /// As the builder sent it.
    pub receive_user: String,
    /// As the builder sent it.
    pub receive_repo: String,
    /// `<client ip> <port> <server ip> <port>`.
    pub ssh_connection: String,
    /// As in `git-receive-pack 'blog.git'`.
    pub ssh_original_command: String,
}

/// A push as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// What was recorded.
    pub push: NewPush,
    /// When.
    pub created: OffsetDateTime,
}

impl Database {
    /// Records a push and forgets the app's oldest beyond the last 1,000.
    pub async fn add_push(&self, app: &AppId, push: NewPush) -> Result<Push, DatabaseError> {
        let push = &Push { uuid: new_uuid(), push, created: now() };
        self.write(|mut transaction| async move {
            insert_push(&mut transaction, app, push).await?;
            let forget = "DELETE FROM pushes WHERE app = $1 AND uuid IN \
                 (SELECT uuid FROM pushes WHERE app = $1 ORDER BY created DESC, uuid LIMIT 1000000 OFFSET $2)";
            transaction.execute(query(forget).bind(app.as_str()).bind(KEPT_PUSHES)).await?;
            transaction.commit().await?;
            Ok(push.clone())
        })
        .await
    }
}

async fn insert_push(transaction: &mut Transaction, app: &AppId, push: &Push) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO pushes (uuid, app, owner, sha, fingerprint, receive_user, receive_repo, \
                  ssh_connection, ssh_original_command, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let Push { uuid, push, created } = push;
    let insert = query(insert)
        .bind(uuid)
        .bind(app.as_str())
        .bind(&push.owner)
        .bind(&push.sha)
        .bind(&push.fingerprint)
        .bind(&push.receive_user)
        .bind(&push.receive_repo)
        .bind(&push.ssh_connection)
        .bind(&push.ssh_original_command)
        .bind(microseconds(*created))
        .bind(microseconds(*created));
    transaction.execute(insert).await.map(drop)
}
