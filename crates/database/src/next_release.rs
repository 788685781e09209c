//! Making the next release of an app, from what its current one points at.

use deis_model::{
    AppId, Build, Config, ConfigChange, Release, ReleaseContent, ReleaseState, ReleaseVersion, summary,
};

use crate::build::{NewBuild, insert_build};
use crate::config::insert_config;
use crate::query::query;
use crate::release::{NewRelease, content, find_current, find_release, insert_release, read_release};
use crate::row::{new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// A release that was just made, with what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The release: pending, or deployed if it has nothing to run.
    pub release: Release,
    /// What to run; none before the first build.
    pub build: Option<Build>,
    /// Environment, limits and tags.
    pub config: Config,
}

impl Database {
    /// Makes a release of a new build and the current config. `Busy` while another one is pending.
    pub async fn release_build(&self, app: &AppId, new: NewBuild) -> Result<Released, DatabaseError> {
        let new = &new;
        self.write(|mut transaction| async move {
            let current = current_unless_busy(&mut transaction, app).await?;
            let build = insert_build(&mut transaction, app, new.clone()).await?;
            let (owner, summary) = (build.owner.clone(), summary::deployed(&build));
            let released =
                create_release(&mut transaction, app, &owner, summary, Some(build), current.config).await?;
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }

    /// Makes a release of the current build and the current config with `change` applied. `Busy` likewise.
    pub async fn release_config(
        &self,
        app: &AppId,
        owner: &str,
        change: &ConfigChange,
    ) -> Result<Released, DatabaseError> {
        self.write(|mut transaction| async move {
            let current = current_unless_busy(&mut transaction, app).await?;
            let config = change.merge(&current.config, new_uuid(), owner.to_owned(), now());
            insert_config(&mut transaction, app, &config).await?;
            let summary = summary::configured(&current.config, &config);
            let released =
                create_release(&mut transaction, app, owner, summary, current.build, config).await?;
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }

    /// Makes a release of the build and config of `target`, by default of the release that served before the current.
    ///
    /// `Busy` likewise; `Missing` if there is no such release.
    pub async fn release_rollback(
        &self,
        app: &AppId,
        owner: &str,
        target: Option<ReleaseVersion>,
    ) -> Result<Released, DatabaseError> {
        self.write(|mut transaction| async move {
            let current = current_unless_busy(&mut transaction, app).await?;
            let target = match target {
                Some(version) => find_release(&mut transaction, app, version).await?,
                None => served_before(&mut transaction, app, current.version).await?,
            };
            let target = content(&mut transaction, target.ok_or(DatabaseError::Missing)?).await?;
            let summary = summary::rollback(owner, target.version);
            let released =
                create_release(&mut transaction, app, owner, summary, target.build, target.config).await?;
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }
}

/// Writes the app's next release: pending if it has something to run.
async fn create_release(
    transaction: &mut Transaction,
    app: &AppId,
    owner: &str,
    summary: String,
    build: Option<Build>,
    config: Config,
) -> Result<Released, DatabaseError> {
    let newest = query("SELECT MAX(version) AS newest FROM releases WHERE app = $1").bind(app.as_str());
    let newest = transaction.row(newest).await?.ok_or(DatabaseError::Missing)?.version("newest")?;
    let release = NewRelease {
        version: newest.next(),
        owner,
        summary,
        config: &config.uuid,
        build: build.as_ref().map(|build| build.uuid.as_str()),
        state: if build.is_some() { ReleaseState::Pending } else { ReleaseState::Deployed },
    };
    let release = insert_release(transaction, app, release).await?;
    transaction.touch(app);
    Ok(Released { release, build, config })
}

/// What the next release starts from, unless the app is busy with one.
async fn current_unless_busy(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<ReleaseContent, DatabaseError> {
    let current = find_current(transaction, app).await?.ok_or(DatabaseError::Missing)?;
    match current.state {
        ReleaseState::Pending => Err(DatabaseError::Busy { app: app.clone() }),
        _ => content(transaction, current).await,
    }
}

async fn served_before(
    transaction: &mut Transaction,
    app: &AppId,
    version: ReleaseVersion,
) -> Result<Option<Release>, DatabaseError> {
    let select = "SELECT * FROM releases WHERE app = $1 AND state = 'deployed' AND version < $2 \
                  ORDER BY version DESC LIMIT 1";
    let select = query(select).bind(app.as_str()).bind(i64::from(version.number()));
    transaction.row(select).await?.as_ref().map(read_release).transpose()
}
