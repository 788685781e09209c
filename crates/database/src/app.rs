//! Apps: what users deploy.

use time::OffsetDateTime;

use deis_model::formation::scaled;
use deis_model::{AppId, Config, Formation, ProcessType, ReleaseState, ReleaseVersion, summary};

use crate::query::query;
use crate::release::{NewRelease, insert_release};
use crate::row::{Row, json, microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

/// An app as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Its name.
    pub id: AppId,
    /// Username.
    pub owner: String,
    /// Containers wanted per process type; empty before the first scale or deploy.
    pub formation: Formation,
    /// When it was made.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

/// An app as one user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAccess {
    /// The app.
    pub app: App,
    /// Whether that user was granted access.
    pub shared: bool,
}

impl Database {
    /// Makes an app with an empty config and release v1, which counts as deployed since it has nothing to run.
    ///
    /// `Taken` if the id is, or if `host`, under which it will be reached, is a domain of another app.
    pub async fn create_app(&self, id: &AppId, owner: &str, host: &str) -> Result<App, DatabaseError> {
        self.write(|mut transaction| async move {
            let now = now();
            if transaction.row(query("SELECT 1 FROM domains WHERE host = $1").bind(host)).await?.is_some() {
                return Err(DatabaseError::Taken);
            }
            let app = App {
                uuid: new_uuid(),
                id: id.clone(),
                owner: owner.to_owned(),
                formation: Formation::new(),
                created: now,
                updated: now,
            };
            insert_app(&mut transaction, &app).await?;
            insert_first_release(&mut transaction, &app).await?;
            transaction.touch(id);
            transaction.commit().await?;
            Ok(app)
        })
        .await
    }

    /// The ids of all apps, sorted.
    pub async fn apps(&self) -> Result<Vec<AppId>, DatabaseError> {
        let rows = self.rows(query("SELECT id FROM apps ORDER BY id")).await?;
        rows.iter().map(|row| row.app("id")).collect()
    }

    /// The ids and UUIDs of all apps, sorted by id.
    pub async fn app_uuids(&self) -> Result<Vec<(AppId, String)>, DatabaseError> {
        let rows = self.rows(query("SELECT id, uuid FROM apps ORDER BY id")).await?;
        rows.iter().map(|row| Ok((row.app("id")?, row.text("uuid")?))).collect()
    }

    /// The app called `id`.
    pub async fn app(&self, id: &AppId) -> Result<Option<App>, DatabaseError> {
        let row = self.row(query("SELECT * FROM apps WHERE id = $1").bind(id.as_str())).await?;
        row.as_ref().map(read_app).transpose()
    }

    /// The app called `id`, and whether it is shared with `username`.
    pub async fn app_access(&self, id: &AppId, username: &str) -> Result<Option<AppAccess>, DatabaseError> {
        let access = "SELECT apps.*, \
             (SELECT COUNT(*) FROM perms WHERE perms.app = apps.id AND perms.username = $2) AS shared \
             FROM apps WHERE id = $1";
        let row = self.row(query(access).bind(id.as_str()).bind(username)).await?;
        row.map(|row| Ok(AppAccess { app: read_app(&row)?, shared: row.flag("shared")? })).transpose()
    }

    /// Every app, by name.
    pub async fn all_apps(&self, slice: Slice) -> Result<Listing<App>, DatabaseError> {
        let count = self.row(query("SELECT COUNT(*) AS total FROM apps")).await?;
        let page = query("SELECT * FROM apps ORDER BY id LIMIT $1 OFFSET $2");
        let rows = self.rows(page.bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_app)
    }

    /// The apps that `username` owns or was granted access to, by name.
    pub async fn apps_of(&self, username: &str, slice: Slice) -> Result<Listing<App>, DatabaseError> {
        let count = "SELECT COUNT(*) AS total FROM apps \
             WHERE owner = $1 OR id IN (SELECT app FROM perms WHERE username = $1)";
        let page = "SELECT * FROM apps \
             WHERE owner = $1 OR id IN (SELECT app FROM perms WHERE username = $1) \
             ORDER BY id LIMIT $2 OFFSET $3";
        let count = self.row(query(count).bind(username)).await?;
        let rows = self.rows(query(page).bind(username).bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_app)
    }

    /// Gives the app to `owner`, who needs no grant any more. `Missing` if there is no such app.
    pub async fn transfer_app(&self, id: &AppId, owner: &str) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            let transfer = query("UPDATE apps SET owner = $2, updated = $3 WHERE id = $1");
            let changed =
                transaction.execute(transfer.bind(id.as_str()).bind(owner).bind(microseconds(now()))).await?;
            if changed == 0 {
                return Err(DatabaseError::Missing);
            }
            let grant = query("DELETE FROM perms WHERE app = $1 AND username = $2");
            transaction.execute(grant.bind(id.as_str()).bind(owner)).await?;
            transaction.touch(id);
            transaction.commit().await
        })
        .await
    }

    /// Deletes the app with all that belongs to it; tells whether there was one.
    pub async fn delete_app(&self, id: &AppId) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            // Before the configs and builds that releases point at.
            transaction.execute(query("DELETE FROM releases WHERE app = $1").bind(id.as_str())).await?;
            let deleted =
                transaction.execute(query("DELETE FROM apps WHERE id = $1").bind(id.as_str())).await?;
            transaction.touch(id);
            transaction.commit().await?;
            Ok(deleted > 0)
        })
        .await
    }

    /// Changes the numbers of the process types in `requested`; the others keep theirs. What they were before, 0 for
    /// types that were not mentioned yet: requesting that again undoes it. `Missing` if there is no such app.
    pub async fn scale(&self, id: &AppId, requested: &Formation) -> Result<Formation, DatabaseError> {
        self.write(|mut transaction| async move {
            let row = transaction.row(query("SELECT * FROM apps WHERE id = $1").bind(id.as_str())).await?;
            let current = read_app(&row.ok_or(DatabaseError::Missing)?)?.formation;
            write_formation(&mut transaction, id, &scaled(&current, requested)).await?;
            transaction.commit().await?;
            let before = |process: &ProcessType| current.get(process).copied().unwrap_or(0);
            Ok(requested.keys().map(|process| (process.clone(), before(process))).collect())
        })
        .await
    }

    /// Writes how many containers of each process type are wanted. `Missing` if there is no such app.
    pub async fn set_formation(&self, id: &AppId, formation: &Formation) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            write_formation(&mut transaction, id, formation).await?;
            transaction.commit().await
        })
        .await
    }
}

/// Writes the formation within a larger change.
pub(crate) async fn write_formation(
    transaction: &mut Transaction,
    id: &AppId,
    formation: &Formation,
) -> Result<(), DatabaseError> {
    let update = query("UPDATE apps SET formation = $2, updated = $3 WHERE id = $1");
    let update = update.bind(id.as_str()).bind(json(formation)).bind(microseconds(now()));
    if transaction.execute(update).await? == 0 {
        return Err(DatabaseError::Missing);
    }
    transaction.touch(id);
    Ok(())
}

async fn insert_app(transaction: &mut Transaction, app: &App) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO apps (uuid, id, owner, formation, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let insert = query(insert)
        .bind(&app.uuid)
        .bind(app.id.as_str())
        .bind(&app.owner)
        .bind(json(&app.formation))
        .bind(microseconds(app.created))
        .bind(microseconds(app.updated));
    transaction.execute(insert).await.map(drop)
}

async fn insert_first_release(transaction: &mut Transaction, app: &App) -> Result<(), DatabaseError> {
    let config = Config::empty(new_uuid(), app.owner.clone(), app.created);
    crate::config::insert_config(transaction, &app.id, &config).await?;
    let release = NewRelease {
        version: ReleaseVersion::FIRST,
        owner: &app.owner,
        summary: summary::initial(&app.owner),
        config: &config.uuid,
        build: None,
        state: ReleaseState::Deployed,
    };
    insert_release(transaction, &app.id, release).await.map(drop)
}

/// Reads an app.
pub(crate) fn read_app(row: &Row) -> Result<App, DatabaseError> {
    Ok(App {
        uuid: row.text("uuid")?,
        id: row.app("id")?,
        owner: row.text("owner")?,
        formation: row.json("formation")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
