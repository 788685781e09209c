//! Builds: images with their Procfiles.

use deis_model::{AppId, Build, Procfile};

use crate::query::query;
use crate::row::{Row, json, microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

/// A build to be written; see [`Build`] for the fields.
#[derive(Clone, Debug)]
pub struct NewBuild {
    /// Who made it.
    pub owner: String,
    /// The image as the user or the builder named it.
    pub image: String,
    /// The commit, or empty.
    pub sha: String,
    /// Process types.
    pub procfile: Procfile,
    /// Not empty for apps built from a Dockerfile.
    pub dockerfile: String,
}

impl Database {
    /// Images that releases may still run: of each app those of its newest `releases` releases and of every one
    /// that is pending or serves.
    pub async fn images_in_use(&self, releases: u32) -> Result<Vec<(AppId, String)>, DatabaseError> {
        let select = "SELECT DISTINCT r.app AS app, b.image AS image FROM releases r JOIN builds b ON b.uuid = r.build \
                      WHERE r.state IN ('pending', 'starting', 'canary', 'promoted') \
                      OR r.version > (SELECT MAX(n.version) FROM releases n WHERE n.app = r.app) - $1 \
                      OR r.version = (SELECT MAX(d.version) FROM releases d WHERE d.app = r.app AND d.state = 'deployed') \
                      ORDER BY app, image";
        let rows = self.rows(query(select).bind(i64::from(releases))).await?;
        rows.iter().map(|row| Ok((row.app("app")?, row.text("image")?))).collect()
    }

    /// Whether a build of `app` has `image`.
    pub async fn has_image(&self, app: &AppId, image: &str) -> Result<bool, DatabaseError> {
        let select = query("SELECT 1 FROM builds WHERE app = $1 AND image = $2 LIMIT 1");
        Ok(self.row(select.bind(app.as_str()).bind(image)).await?.is_some())
    }

    /// How many builds of `app` were made from `sha`, as builds name it.
    pub async fn builds_of_commit(&self, app: &AppId, sha: &str) -> Result<u32, DatabaseError> {
        let select = query("SELECT COUNT(*) AS total FROM builds WHERE app = $1 AND sha = $2");
        let row = self.row(select.bind(app.as_str()).bind(sha)).await?;
        row.map_or(Ok(0), |row| row.count("total"))
    }

    /// The builds of an app, newest first.
    pub async fn builds(&self, app: &AppId, slice: Slice) -> Result<Listing<Build>, DatabaseError> {
        let count = query("SELECT COUNT(*) AS total FROM builds WHERE app = $1");
        let count = self.row(count.bind(app.as_str())).await?;
        let page =
            query("SELECT * FROM builds WHERE app = $1 ORDER BY created DESC, uuid LIMIT $2 OFFSET $3");
        let rows = self.rows(page.bind(app.as_str()).bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_build)
    }

    /// One build of an app.
    pub async fn build(&self, app: &AppId, uuid: &str) -> Result<Option<Build>, DatabaseError> {
        let select = query("SELECT * FROM builds WHERE app = $1 AND uuid = $2");
        let row = self.row(select.bind(app.as_str()).bind(uuid)).await?;
        row.as_ref().map(read_build).transpose()
    }
}

/// Writes a new build within a larger change.
pub(crate) async fn insert_build(
    transaction: &mut Transaction,
    app: &AppId,
    new: NewBuild,
) -> Result<Build, DatabaseError> {
    let now = now();
    let build = Build {
        uuid: new_uuid(),
        owner: new.owner,
        image: new.image,
        sha: new.sha,
        procfile: new.procfile,
        dockerfile: new.dockerfile,
        created: now,
        updated: now,
    };
    let insert = "INSERT INTO builds (uuid, app, owner, image, sha, procfile, dockerfile, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let insert = query(insert)
        .bind(&build.uuid)
        .bind(app.as_str())
        .bind(&build.owner)
        .bind(&build.image)
        .bind(&build.sha)
        .bind(json(&build.procfile))
        .bind(&build.dockerfile)
        .bind(microseconds(now))
        .bind(microseconds(now));
    transaction.execute(insert).await?;
    Ok(build)
}

/// The build with `uuid`, within a larger read or change.
pub(crate) async fn find_build(transaction: &mut Transaction, uuid: &str) -> Result<Build, DatabaseError> {
    let row = transaction.row(query("SELECT * FROM builds WHERE uuid = $1").bind(uuid)).await?;
    read_build(&row.ok_or(DatabaseError::Missing)?)
}

fn read_build(row: &Row) -> Result<Build, DatabaseError> {
    Ok(Build {
        uuid: row.text("uuid")?,
        owner: row.text("owner")?,
        image: row.text("image")?,
        sha: row.text("sha")?,
        procfile: row.json("procfile")?,
        dockerfile: row.text("dockerfile")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
