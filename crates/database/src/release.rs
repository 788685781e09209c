//! Releases: numbered pairs of build and config, at most one of an app under way.

mod state;

use deis_model::intent::effective_formation;
use deis_model::{AppId, Release, ReleaseContent, ReleaseState, ReleaseVersion};

use crate::app::{read_app, write_formation};
use crate::build::find_build;
use crate::canary::end_canaries;
use crate::config::find_config;
use crate::query::query;
use crate::row::{Row, microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

use state::read_state;
pub(crate) use state::{settle, state_text};

/// A release to be written.
pub(crate) struct NewRelease<'a> {
    pub(crate) version: ReleaseVersion,
    pub(crate) owner: &'a str,
    pub(crate) summary: String,
    pub(crate) config: &'a str,
    pub(crate) build: Option<&'a str>,
    pub(crate) state: ReleaseState,
}

impl Database {
    /// The releases of an app, newest first.
    pub async fn releases(&self, app: &AppId, slice: Slice) -> Result<Listing<Release>, DatabaseError> {
        let count = query("SELECT COUNT(*) AS total FROM releases WHERE app = $1");
        let count = self.row(count.bind(app.as_str())).await?;
        let page = query("SELECT * FROM releases WHERE app = $1 ORDER BY version DESC LIMIT $2 OFFSET $3");
        let rows = self.rows(page.bind(app.as_str()).bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_release)
    }

    /// One release of an app.
    pub async fn release(
        &self,
        app: &AppId,
        version: ReleaseVersion,
    ) -> Result<Option<Release>, DatabaseError> {
        let select = query("SELECT * FROM releases WHERE app = $1 AND version = $2");
        let row = self.row(select.bind(app.as_str()).bind(i64::from(version.number()))).await?;
        row.as_ref().map(read_release).transpose()
    }

    /// The newest release of an app that neither failed nor was ended, with what it points at.
    pub async fn current(&self, app: &AppId) -> Result<Option<ReleaseContent>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            match find_current(&mut snapshot, app).await? {
                Some(release) => content(&mut snapshot, release).await.map(Some),
                None => Ok(None),
            }
        })
        .await
    }

    /// Notes that the pending release `version` serves, fits the formation to its build and ends another one that is
    /// tried out, in the same step; tells whether it serves.
    ///
    /// Does nothing if that release is not to be deployed any more.
    pub async fn mark_deployed(&self, app: &AppId, version: ReleaseVersion) -> Result<bool, DatabaseError> {
        const PENDING: [ReleaseState; 2] = [ReleaseState::Pending, ReleaseState::Promoted];
        self.write(|mut transaction| async move {
            let deployed = ReleaseState::Deployed;
            let is_new = settle(&mut transaction, app, version, &PENDING, deployed, None).await?;
            if is_new {
                fit_formation(&mut transaction, app, version).await?;
                let reason = format!("{version} took the place of all before it");
                end_canaries(&mut transaction, app, &[ReleaseState::Canary], &reason).await?;
            }
            transaction.commit().await?;
            Ok(is_new)
        })
        .await
    }

    /// Notes that the release `version`, which is pending or tried out, will not serve, and why; tells whether
    /// that is news. The formation stays.
    ///
    /// Does nothing if that release is neither any more.
    pub async fn mark_failed(
        &self,
        app: &AppId,
        version: ReleaseVersion,
        reason: &str,
    ) -> Result<bool, DatabaseError> {
        const GOING: [ReleaseState; 4] =
            [ReleaseState::Pending, ReleaseState::Starting, ReleaseState::Canary, ReleaseState::Promoted];
        self.write(|mut transaction| async move {
            let failed = ReleaseState::Failed;
            let is_new = settle(&mut transaction, app, version, &GOING, failed, Some(reason)).await?;
            transaction.commit().await?;
            Ok(is_new)
        })
        .await
    }
}

/// The newest release that is deployed, within a larger read or change.
pub(crate) async fn find_deployed(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = "SELECT * FROM releases WHERE app = $1 AND state = 'deployed' ORDER BY version DESC LIMIT 1";
    let row = transaction.row(query(select).bind(app.as_str())).await?;
    row.as_ref().map(read_release).transpose()
}

/// The release that is under way, within a larger read or change.
pub(crate) async fn find_under_way(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = "SELECT * FROM releases WHERE app = $1 AND state IN ('pending', 'starting', 'promoted')";
    let row = transaction.row(query(select).bind(app.as_str())).await?;
    row.as_ref().map(read_release).transpose()
}

/// A release with what it points at, within a larger read or change.
pub(crate) async fn content(
    transaction: &mut Transaction,
    release: Release,
) -> Result<ReleaseContent, DatabaseError> {
    let build = match &release.build {
        Some(uuid) => Some(find_build(transaction, uuid).await?),
        None => None,
    };
    let config = find_config(transaction, &release.config).await?;
    Ok(ReleaseContent { version: release.version, build, config })
}

/// Writes a release within a larger change.
pub(crate) async fn insert_release(
    transaction: &mut Transaction,
    app: &AppId,
    new: NewRelease<'_>,
) -> Result<Release, DatabaseError> {
    let now = now();
    let release = Release {
        uuid: new_uuid(),
        version: new.version,
        owner: new.owner.to_owned(),
        summary: new.summary,
        config: new.config.to_owned(),
        build: new.build.map(str::to_owned),
        state: new.state,
        failure: None,
        created: now,
        updated: now,
    };
    let insert = "INSERT INTO releases \
                  (app, version, uuid, owner, summary, config, build, state, failure, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $10)";
    let insert = query(insert)
        .bind(app.as_str())
        .bind(i64::from(release.version.number()))
        .bind(&release.uuid)
        .bind(&release.owner)
        .bind(&release.summary)
        .bind(&release.config)
        .bind(&release.build)
        .bind(state_text(release.state))
        .bind(microseconds(now))
        .bind(microseconds(now));
    transaction.execute(insert).await?;
    Ok(release)
}

/// The newest release that neither failed nor was ended, within a larger read or change.
pub(crate) async fn find_current(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = "SELECT * FROM releases WHERE app = $1 AND state NOT IN ('failed', 'ended') \
                  ORDER BY version DESC LIMIT 1";
    let row = transaction.row(query(select).bind(app.as_str())).await?;
    row.as_ref().map(read_release).transpose()
}

/// One release, within a larger read or change.
pub(crate) async fn find_release(
    transaction: &mut Transaction,
    app: &AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, DatabaseError> {
    let select = query("SELECT * FROM releases WHERE app = $1 AND version = $2");
    let row = transaction.row(select.bind(app.as_str()).bind(i64::from(version.number()))).await?;
    row.as_ref().map(read_release).transpose()
}

async fn fit_formation(
    transaction: &mut Transaction,
    app: &AppId,
    version: ReleaseVersion,
) -> Result<(), DatabaseError> {
    let release = find_release(transaction, app, version).await?.ok_or(DatabaseError::Missing)?;
    let Some(build) = release.build else { return Ok(()) };
    let build = find_build(transaction, &build).await?;
    let row = transaction.row(query("SELECT * FROM apps WHERE id = $1").bind(app.as_str())).await?;
    let current = read_app(&row.ok_or(DatabaseError::Missing)?)?.formation;
    let fitted = effective_formation(&current, &build);
    // An empty formation would get the default with the next build, but this one was scaled to zero.
    match fitted == current || fitted.is_empty() {
        true => Ok(()),
        false => write_formation(transaction, app, &fitted).await,
    }
}

/// Reads a release.
pub(crate) fn read_release(row: &Row) -> Result<Release, DatabaseError> {
    Ok(Release {
        uuid: row.text("uuid")?,
        version: row.version("version")?,
        owner: row.text("owner")?,
        summary: row.text("summary")?,
        config: row.text("config")?,
        build: row.optional_text("build")?,
        state: read_state(&row.text("state")?)?,
        failure: row.optional_text("failure")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
