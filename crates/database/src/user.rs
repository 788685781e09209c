//! Users: who may log in.

use deis_model::User;

use crate::query::query;
use crate::row::{Row, microseconds, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// Login name.
    pub username: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
    /// A PHC string, as `$argon2id$…`.
    pub password_hash: String,
}

impl Database {
    /// Makes a user; one made while there is no administrator becomes that. `Taken` if the name is.
    pub async fn create_user(&self, new: NewUser) -> Result<User, DatabaseError> {
        let new = &new;
        self.write(|mut transaction| async move {
            let newest = transaction.row(query("SELECT COALESCE(MAX(id), 0) AS newest FROM users")).await?;
            let newest = newest.ok_or(DatabaseError::Missing)?.number("newest")?;
            let now = now();
            let user = User {
                id: newest + 1,
                username: new.username.clone(),
                email: new.email.clone(),
                first_name: new.first_name.clone(),
                last_name: new.last_name.clone(),
                is_admin: admins(&mut transaction).await? == 0,
                is_active: true,
                last_login: now,
                joined: now,
            };
            insert_user(&mut transaction, &user, &new.password_hash).await?;
            transaction.commit().await?;
            Ok(user)
        })
        .await
    }

    /// The user called `username`.
    pub async fn user(&self, username: &str) -> Result<Option<User>, DatabaseError> {
        Ok(self.credentials(username).await?.map(|(user, _)| user))
    }

    /// The user called `username` and the hash of the password.
    pub async fn credentials(&self, username: &str) -> Result<Option<(User, String)>, DatabaseError> {
        let row = self.row(query("SELECT * FROM users WHERE username = $1").bind(username)).await?;
        row.map(|row| Ok((read_user(&row)?, row.text("password_hash")?))).transpose()
    }

    /// All users, by name.
    pub async fn users(&self, slice: Slice) -> Result<Listing<User>, DatabaseError> {
        let count = self.row(query("SELECT COUNT(*) AS total FROM users")).await?;
        let page = query("SELECT * FROM users ORDER BY username LIMIT $1 OFFSET $2");
        let rows = self.rows(page.bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_user)
    }

    /// All administrators, by name.
    pub async fn admins(&self, slice: Slice) -> Result<Listing<User>, DatabaseError> {
        let count = self.row(query("SELECT COUNT(*) AS total FROM users WHERE is_admin = 1")).await?;
        let page = query("SELECT * FROM users WHERE is_admin = 1 ORDER BY username LIMIT $1 OFFSET $2");
        let rows = self.rows(page.bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_user)
    }

    /// Replaces the password. `Missing` if there is no such user.
    pub async fn set_password(&self, username: &str, password_hash: &str) -> Result<(), DatabaseError> {
        let update = query("UPDATE users SET password_hash = $2 WHERE username = $1");
        match self.execute(update.bind(username).bind(password_hash)).await? {
            0 => Err(DatabaseError::Missing),
            _ => Ok(()),
        }
    }

    /// Makes the user an administrator, or no longer one.
    ///
    /// `Missing` if there is no such user, `LastAdmin` if no administrator would be left.
    pub async fn set_admin(&self, username: &str, is_admin: bool) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            let update = query("UPDATE users SET is_admin = $2 WHERE username = $1");
            if transaction.execute(update.bind(username).bind(i64::from(is_admin))).await? == 0 {
                return Err(DatabaseError::Missing);
            }
            if admins(&mut transaction).await? == 0 {
                return Err(DatabaseError::LastAdmin { username: username.to_owned() });
            }
            revise_served(&mut transaction, username).await?;
            transaction.commit().await
        })
        .await
    }

    /// Deletes the user with tokens, keys, certificates and grants; tells whether there was one. `OwnsApps` if apps would be left.
    pub async fn delete_user(&self, username: &str) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            let owned = query("SELECT 1 FROM apps WHERE owner = $1 LIMIT 1").bind(username);
            if transaction.row(owned).await?.is_some() {
                return Err(DatabaseError::OwnsApps { username: username.to_owned() });
            }
            revise_served(&mut transaction, username).await?;
            let deleted =
                transaction.execute(query("DELETE FROM users WHERE username = $1").bind(username)).await?;
            transaction.commit().await?;
            Ok(deleted > 0)
        })
        .await
    }
}

/// Notes that other apps than before are served with the certificates of `username`, if there are any.
async fn revise_served(transaction: &mut Transaction, username: &str) -> Result<(), DatabaseError> {
    let certificate = query("SELECT 1 FROM certificates WHERE owner = $1 LIMIT 1").bind(username);
    match transaction.row(certificate).await? {
        Some(_) => transaction.revise_all().await,
        None => Ok(()),
    }
}

async fn admins(transaction: &mut Transaction) -> Result<i64, DatabaseError> {
    let row = transaction.row(query("SELECT COUNT(*) AS total FROM users WHERE is_admin = 1")).await?;
    row.ok_or(DatabaseError::Missing)?.number("total")
}

async fn insert_user(
    transaction: &mut Transaction,
    user: &User,
    password_hash: &str,
) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO users (id, username, email, first_name, last_name, password_hash, is_admin, \
                  is_active, last_login, joined) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let insert = query(insert)
        .bind(user.id)
        .bind(&user.username)
        .bind(&user.email)
        .bind(&user.first_name)
        .bind(&user.last_name)
        .bind(password_hash)
        .bind(i64::from(user.is_admin))
        .bind(i64::from(user.is_active))
        .bind(microseconds(user.last_login))
        .bind(microseconds(user.joined));
    transaction.execute(insert).await.map(drop)
}

/// Reads a user.
pub(crate) fn read_user(row: &Row) -> Result<User, DatabaseError> {
    Ok(User {
        id: row.number("id")?,
        username: row.text("username")?,
        email: row.text("email")?,
        first_name: row.text("first_name")?,
        last_name: row.text("last_name")?,
        is_admin: row.flag("is_admin")?,
        is_active: row.flag("is_active")?,
        last_login: row.time("last_login")?,
        joined: row.time("joined")?,
    })
}
