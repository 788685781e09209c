//! Releases: numbered pairs of build and config, at most one of an app pending.

use deis_model::intent::effective_formation;
use deis_model::{AppId, Release, ReleaseContent, ReleaseState, ReleaseVersion};

use crate::app::{read_app, write_formation};
use crate::build::find_build;
use crate::config::find_config;
use crate::query::query;
use crate::row::{Row, microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError, Listing, Slice};

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

    /// The newest release of an app that did not fail, with what it points at.
    pub async fn current(&self, app: &AppId) -> Result<Option<ReleaseContent>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            match find_current(&mut snapshot, app).await? {
                Some(release) => content(&mut snapshot, release).await.map(Some),
                None => Ok(None),
            }
        })
        .await
    }

    /// Notes that the pending release `version` serves, and fits the formation to its build in the same step.
    ///
    /// Does nothing if that release is not pending any more.
    pub async fn mark_deployed(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            if settle(&mut transaction, app, version, ReleaseState::Deployed, None).await? {
                fit_formation(&mut transaction, app, version).await?;
            }
            transaction.commit().await
        })
        .await
    }

    /// Notes that the pending release `version` will not serve, and why. The formation stays.
    ///
    /// Does nothing if that release is not pending any more.
    pub async fn mark_failed(
        &self,
        app: &AppId,
        version: ReleaseVersion,
        reason: &str,
    ) -> Result<(), DatabaseError> {
        self.write(|mut transaction| async move {
            settle(&mut transaction, app, version, ReleaseState::Failed, Some(reason)).await?;
            transaction.commit().await
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

/// The pending release, within a larger read or change.
pub(crate) async fn find_pending(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = query("SELECT * FROM releases WHERE app = $1 AND state = 'pending'");
    let row = transaction.row(select.bind(app.as_str())).await?;
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

/// The newest release that did not fail, within a larger read or change.
pub(crate) async fn find_current(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = "SELECT * FROM releases WHERE app = $1 AND state <> 'failed' ORDER BY version DESC LIMIT 1";
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

/// Moves the release out of `pending`; tells whether it was.
async fn settle(
    transaction: &mut Transaction,
    app: &AppId,
    version: ReleaseVersion,
    state: ReleaseState,
    failure: Option<&str>,
) -> Result<bool, DatabaseError> {
    let update = "UPDATE releases SET state = $3, failure = $4, updated = $5 \
                  WHERE app = $1 AND version = $2 AND state = 'pending'";
    let update = query(update)
        .bind(app.as_str())
        .bind(i64::from(version.number()))
        .bind(state_text(state))
        .bind(failure)
        .bind(microseconds(now()));
    let settled = transaction.execute(update).await? > 0;
    if settled {
        transaction.touch(app);
    }
    Ok(settled)
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

fn state_text(state: ReleaseState) -> &'static str {
    match state {
        ReleaseState::Pending => "pending",
        ReleaseState::Deployed => "deployed",
        ReleaseState::Failed => "failed",
    }
}

fn read_state(text: &str) -> Result<ReleaseState, DatabaseError> {
    let states = [ReleaseState::Pending, ReleaseState::Deployed, ReleaseState::Failed];
    let unknown = || DatabaseError::Column {
        column: "state".to_owned(),
        reason: format!("{text:?} is not a state of releases"),
    };
    states.into_iter().find(|state| state_text(*state) == text).ok_or_else(unknown)
}
