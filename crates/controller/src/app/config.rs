//! Config: reading it, and changing it with a new release.

use deis_database::Released;
use deis_model::permission::Action;
use deis_model::{AppId, Config, ConfigChange, User};

use super::release::{CONFIG_TURN, Next};
use super::{Platform, Refusal};

impl Platform {
    /// The config of the app's current release.
    pub async fn config(&self, caller: &User, id: &str) -> Result<(AppId, Config), Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        let config = self.database.config(&app).await?.ok_or(Refusal::NotFound)?;
        Ok((app, config))
    }

    /// Changes the config of the app's current release, and deploys the new one if there is a build.
    pub async fn change_config(
        &self,
        caller: &User,
        id: &str,
        change: &ConfigChange,
    ) -> Result<(AppId, Released), Refusal> {
        let app = self.app(caller, id, Action::Change).await?.id;
        let released = self.in_turn(&app, caller, &Next::Config(change), CONFIG_TURN).await?;
        match released.build {
            Some(_) => self.deploy(&app, &released).await?,
            None => self.events.say(&app, released.release.summary.clone()),
        }
        Ok((app, released))
    }
}
