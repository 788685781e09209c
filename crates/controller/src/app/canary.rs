//! Canaries: what is tried out on a part of an app's requests, promoting it, ending it.
//!
//! Whether new releases are tried out, and on how many requests, is the routing setting `canary`.

use deis_database::Canaries;
use deis_model::permission::Action;
use deis_model::{ReleaseVersion, User, canary};

use super::release::{CONFIG_TURN, Next};
use super::{Platform, Refusal};

const NOTHING: &str = "No release of this app is tried out";

impl Platform {
    /// How many of a hundred requests new releases of an app get until they are promoted, and what is tried out.
    pub async fn canary(&self, caller: &User, id: &str) -> Result<(u8, Canaries), Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        let weight = canary::weight(&self.database.app_settings(&app).await?);
        Ok((weight, self.database.canaries(&app).await?))
    }

    /// Deploys what is tried out for all, and waits until it serves.
    pub async fn promote_canary(&self, caller: &User, id: &str) -> Result<ReleaseVersion, Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let promoted = self.in_turn(&app, caller, &Next::Promotion, CONFIG_TURN).await;
        let promoted = promoted.map_err(|refusal| match refusal {
            Refusal::NotFound => Refusal::Conflict(NOTHING.to_owned()),
            refusal => refusal,
        })?;
        let version = promoted.release.version;
        self.events.say(&app, format!("{} promoted {version}", caller.username));
        self.deploys.await_release(&app, version).await?;
        Ok(version)
    }

    /// Ends what is tried out or about to be, and waits until no request gets there. The release that serves goes on.
    pub async fn end_canary(&self, caller: &User, id: &str) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let reason = format!("{} ended it", caller.username);
        if !self.database.end_canaries(&app, &reason).await? {
            return Err(Refusal::Conflict(NOTHING.to_owned()));
        }
        self.events.say(&app, format!("{} ended what was tried out", caller.username));
        self.await_routers(&app).await;
        Ok(())
    }
}
