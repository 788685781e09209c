//! Making the next release of an app, from what its current one points at.

use std::collections::BTreeMap;

use deis_model::{
    AppId, Build, Config, ConfigChange, Formation, Release, ReleaseContent, ReleaseState, ReleaseVersion,
    canary, summary,
};

use crate::app::read_app;
use crate::app_setting::app_settings;
use crate::build::{NewBuild, insert_build};
use crate::canary::{end_canaries, find_canary};
use crate::config::insert_config;
use crate::query::query;
use crate::release::{
    NewRelease, content, find_current, find_deployed, find_release, find_under_way, insert_release,
    read_release,
};
use crate::row::{new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// A release that was just made, with what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The release: pending, or about to be tried out, or deployed if it has nothing to run.
    pub release: Release,
    /// What to run; none before the first build.
    pub build: Option<Build>,
    /// Environment, limits and tags.
    pub config: Config,
}

impl Database {
    /// Makes a release of a new build and the current config. `Busy` while another one is under way.
    ///
    /// It is tried out first if the app's settings say so, and then goes on from what is tried out already, if anything.
    pub async fn release_build(&self, app: &AppId, new: NewBuild) -> Result<Released, DatabaseError> {
        let new = &new;
        self.write(|mut transaction| async move {
            let base = base_unless_busy(&mut transaction, app).await?;
            let build = insert_build(&mut transaction, app, new.clone()).await?;
            let (owner, summary) = (build.owner.clone(), summary::deployed(&build));
            let state = base.next(&build);
            let config = base.content.config;
            let released =
                create_release(&mut transaction, app, &owner, summary, Some(build), config, state).await?;
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
            let base = base_unless_busy(&mut transaction, app).await?;
            let config = change.merge(&base.content.config, new_uuid(), owner.to_owned(), now());
            insert_config(&mut transaction, app, &config).await?;
            let summary = summary::configured(&base.content.config, &config);
            let state = base.content.build.as_ref().map_or(ReleaseState::Deployed, |build| base.next(build));
            let build = base.content.build;
            let released =
                create_release(&mut transaction, app, owner, summary, build, config, state).await?;
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }

    /// Makes a release of the build and config of `target`, by default of the release that served before the current.
    /// Whoever goes back does so at once, for all: it is not tried out, and ends what is.
    ///
    /// `Busy` likewise; `Missing` if there is no such release.
    pub async fn release_rollback(
        &self,
        app: &AppId,
        owner: &str,
        target: Option<ReleaseVersion>,
    ) -> Result<Released, DatabaseError> {
        self.write(|mut transaction| async move {
            refuse_busy(&mut transaction, app).await?;
            let current = find_current(&mut transaction, app).await?.ok_or(DatabaseError::Missing)?;
            let target = match target {
                Some(version) => find_release(&mut transaction, app, version).await?,
                None => served_before(&mut transaction, app, current.version).await?,
            };
            let target = content(&mut transaction, target.ok_or(DatabaseError::Missing)?).await?;
            let summary = summary::rollback(owner, target.version);
            let (build, config) = (target.build, target.config);
            let state = if build.is_some() { ReleaseState::Pending } else { ReleaseState::Deployed };
            let released =
                create_release(&mut transaction, app, owner, summary, build, config, state).await?;
            if state == ReleaseState::Deployed {
                // Nobody has to get ready for it.
                let reason = format!("{} is deployed in its place", released.release.version);
                end_canaries(&mut transaction, app, &[ReleaseState::Canary], &reason).await?;
            }
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }
}

/// Writes the app's next release.
async fn create_release(
    transaction: &mut Transaction,
    app: &AppId,
    owner: &str,
    summary: String,
    build: Option<Build>,
    config: Config,
    state: ReleaseState,
) -> Result<Released, DatabaseError> {
    let newest = query("SELECT MAX(version) AS newest FROM releases WHERE app = $1").bind(app.as_str());
    let newest = transaction.row(newest).await?.ok_or(DatabaseError::Missing)?.version("newest")?;
    let release = NewRelease {
        version: newest.next(),
        owner,
        summary,
        config: &config.uuid,
        build: build.as_ref().map(|build| build.uuid.as_str()),
        state,
    };
    let release = insert_release(transaction, app, release).await?;
    transaction.touch(app);
    Ok(Released { release, build, config })
}

/// What the next release starts from.
struct Base {
    /// The release that is tried out if there is one, else the one that serves.
    content: ReleaseContent,
    /// The build that serves.
    deployed: Option<Build>,
    formation: Formation,
    settings: BTreeMap<String, String>,
}

impl Base {
    /// The state that a release of `build` begins in.
    fn next(&self, build: &Build) -> ReleaseState {
        match canary::is_due(&self.settings, &self.formation, self.deployed.as_ref(), build) {
            true => ReleaseState::Starting,
            false => ReleaseState::Pending,
        }
    }
}

async fn base_unless_busy(transaction: &mut Transaction, app: &AppId) -> Result<Base, DatabaseError> {
    refuse_busy(transaction, app).await?;
    let row = transaction.row(query("SELECT * FROM apps WHERE id = $1").bind(app.as_str())).await?;
    let formation = read_app(&row.ok_or(DatabaseError::Missing)?)?.formation;
    let settings = app_settings(transaction, app).await?;
    let deployed = find_deployed(transaction, app).await?.ok_or(DatabaseError::Missing)?;
    let deployed = content(transaction, deployed).await?;
    let build = deployed.build.clone();
    // Once its part is 0 a canary is on its way out, and nothing is made of it any more.
    let tried = match canary::weight(&settings) {
        0 => None,
        _ => find_canary(transaction, app).await?,
    };
    let content = match tried {
        Some(tried) => content(transaction, tried).await?,
        None => deployed,
    };
    Ok(Base { content, deployed: build, formation, settings })
}

/// Fails with `Busy` while a release of the app is under way.
pub(crate) async fn refuse_busy(transaction: &mut Transaction, app: &AppId) -> Result<(), DatabaseError> {
    match find_under_way(transaction, app).await? {
        Some(Release { version, state, .. }) => Err(DatabaseError::Busy { app: app.clone(), version, state }),
        None => Ok(()),
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
