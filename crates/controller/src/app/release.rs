//! Releases: listing, waiting for one's turn, rolling back.

use std::time::Duration;

use tokio::time::Instant;

use deis_database::{DatabaseError, Listing, NewBuild, Released, Slice};
use deis_model::permission::Action;
use deis_model::{AppId, ConfigChange, Release, ReleaseVersion, User};

use super::{Platform, Refusal};

/// How long a change of config or a rollback waits for the release before it.
pub(super) const CONFIG_TURN: Duration = Duration::from_secs(5);

/// How long a build waits for the release before it: as long as a deploy may take.
pub(super) const BUILD_TURN: Duration = Duration::from_secs(20 * 60);

/// What the next release of an app is made from.
pub(super) enum Next<'a> {
    /// A new build and the current config.
    Build(NewBuild),
    /// The current build and a changed config.
    Config(&'a ConfigChange),
    /// Build and config of an earlier release, by default of the one that served before.
    Rollback(Option<ReleaseVersion>),
    /// The release that is tried out, for all.
    Promotion,
}

impl Platform {
    /// The releases of an app, newest first.
    pub async fn releases(&self, caller: &User, id: &str, slice: Slice) -> Result<Listing<Release>, Refusal> {
        let app = self.app(caller, id, Action::View).await?;
        Ok(self.database.releases(&app.id, slice).await?)
    }

    /// One release of an app.
    pub async fn release(
        &self,
        caller: &User,
        id: &str,
        version: ReleaseVersion,
    ) -> Result<Release, Refusal> {
        let app = self.app(caller, id, Action::View).await?;
        self.database.release(&app.id, version).await?.ok_or(Refusal::NotFound)
    }

    /// Deploys the build and config of an earlier release anew, by default of the one that served before.
    pub async fn roll_back(
        &self,
        caller: &User,
        id: &str,
        version: Option<i64>,
    ) -> Result<ReleaseVersion, Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let below = || Refusal::Invalid("version cannot be below 0".to_owned());
        let target = match version.filter(|version| *version != 0) {
            None => None,
            Some(version) if version < 1 => return Err(below()),
            Some(version) => Some(parse_version(version)?),
        };
        let next = Next::Rollback(target);
        let released =
            self.in_turn(&app, caller, &next, CONFIG_TURN).await.map_err(|refusal| match refusal {
                Refusal::NotFound if target.is_none() => below(),
                refusal => refusal,
            })?;
        self.deploy(&app, &released).await?;
        Ok(released.release.version)
    }

    /// Makes the next release as soon as no other one is under way, at most `turn` from now.
    pub(super) async fn in_turn(
        &self,
        app: &AppId,
        caller: &User,
        next: &Next<'_>,
        turn: Duration,
    ) -> Result<Released, Refusal> {
        let deadline = Instant::now() + turn;
        loop {
            match self.make_release(app, &caller.username, next).await {
                Err(error @ DatabaseError::Busy { .. }) if Instant::now() >= deadline => {
                    return Err(Refusal::Busy(error.to_string()));
                }
                Err(DatabaseError::Busy { .. }) => {
                    self.deploys.idle(app, deadline.saturating_duration_since(Instant::now())).await;
                }
                released => return Ok(released?),
            }
        }
    }

    async fn make_release(
        &self,
        app: &AppId,
        owner: &str,
        next: &Next<'_>,
    ) -> Result<Released, DatabaseError> {
        match next {
            Next::Build(new) => self.database.release_build(app, new.clone()).await,
            Next::Config(change) => self.database.release_config(app, owner, change).await,
            Next::Rollback(target) => self.database.release_rollback(app, owner, *target).await,
            Next::Promotion => self.database.promote(app).await,
        }
    }

    /// Notes the release in the app's log and waits until it serves or failed.
    pub(super) async fn deploy(&self, app: &AppId, released: &Released) -> Result<(), Refusal> {
        self.events.say(app, released.release.summary.clone());
        Ok(self.deploys.await_release(app, released.release.version).await?)
    }
}

fn parse_version(version: i64) -> Result<ReleaseVersion, Refusal> {
    u32::try_from(version).ok().and_then(ReleaseVersion::new).ok_or(Refusal::NotFound)
}
