//! Apps: making, listing, handing over, destroying.

use rand::Rng;

use deis_database::{App, DatabaseError, Listing, Slice};
use deis_model::app_name::{app_name, numbered_app_name};
use deis_model::permission::Action;
use deis_model::{AppId, User, summary};
use http::Method;
use tracing::warn;

use super::{Platform, Refusal};

/// The controller's own name below the platform's domain.
pub(super) const RESERVED: &str = "deis";

/// How often a plain generated name is tried before a number is added to it.
const PLAIN_ATTEMPTS: u32 = 20;
const NUMBERED_ATTEMPTS: u32 = 100;

impl Platform {
    /// Makes an app called `id`, or by a generated name. Any user may.
    pub async fn create_app(&self, caller: &User, id: Option<&str>) -> Result<App, Refusal> {
        let app = match id {
            Some(id) => self.create_named(caller, id).await?,
            None => self.create_unnamed(caller).await?,
        };
        self.events.say(&app.id, summary::initial(&caller.username));
        self.deploys.wake(&app.id);
        Ok(app)
    }

    async fn create_named(&self, caller: &User, id: &str) -> Result<App, Refusal> {
        let id = AppId::parse(id).map_err(|error| Refusal::field("id", error))?;
        if id.as_str() == RESERVED {
            return Err(Refusal::field("id", format!("{id} is a reserved name.")));
        }
        match self.insert_app(caller, &id).await {
            Err(DatabaseError::Taken) => Err(Refusal::not_unique("id")),
            made => Ok(made?),
        }
    }

    async fn create_unnamed(&self, caller: &User) -> Result<App, Refusal> {
        for attempt in 0..PLAIN_ATTEMPTS + NUMBERED_ATTEMPTS {
            match self.insert_app(caller, &random_name(attempt)).await {
                Err(DatabaseError::Taken) => {}
                made => return Ok(made?),
            }
        }
        Err(Refusal::Internal(
            "failed to generate a name for an app: all that were tried are taken".to_owned(),
        ))
    }

    async fn insert_app(&self, caller: &User, id: &AppId) -> Result<App, DatabaseError> {
        self.database.create_app(id, &caller.username, &self.default_host(id)).await
    }

    /// The apps that the caller sees; administrators see all.
    pub async fn apps(&self, caller: &User, slice: Slice) -> Result<Listing<App>, Refusal> {
        Ok(match caller.is_admin {
            true => self.database.all_apps(slice).await?,
            false => self.database.apps_of(&caller.username, slice).await?,
        })
    }

    /// The ids and UUIDs of all apps, for other components.
    pub async fn app_uuids(&self) -> Result<Vec<(AppId, String)>, Refusal> {
        Ok(self.database.app_uuids().await?)
    }

    /// Gives the app to `owner`; without one, does nothing but check access.
    pub async fn update_app(&self, caller: &User, id: &str, owner: Option<&str>) -> Result<(), Refusal> {
        let Some(owner) = owner else {
            return self.app(caller, id, Action::Change).await.map(drop);
        };
        let app = self.app(caller, id, Action::Transfer).await?;
        let owner = self.known_user(owner).await?;
        Ok(self.database.transfer_app(&app.id, &owner.username).await?)
    }

    /// Deletes the app with all that belongs to it, and waits until its containers are gone.
    pub async fn destroy_app(&self, caller: &User, id: &str) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Delete).await?;
        if !self.database.delete_app(&app.id).await? {
            return Err(Refusal::NotFound);
        }
        self.deploys.remove_app(&app.id).await;
        let delete =
            self.logger.request(Method::DELETE, &format!("/{}", app.id)).timeout(super::log::TIMEOUT);
        if let Err(error) = self.logger.send(delete).await {
            warn!(app = %app.id, error = %error, "failed to delete the log of a destroyed app");
        }
        Ok(())
    }

    /// Where the app is reached without any domain of its own.
    pub(super) fn default_host(&self, id: &AppId) -> String {
        format!("{id}.{}", self.domain)
    }
}

fn random_name(attempt: u32) -> AppId {
    let mut random = rand::rng();
    match attempt < PLAIN_ATTEMPTS {
        true => app_name(random.random(), random.random()),
        false => numbered_app_name(random.random(), random.random(), random.random_range(1000..1_000_000)),
    }
}
