//! Perms: letting other users work on an app.

use deis_model::User;
use deis_model::permission::Action;

use super::{Platform, Refusal};

impl Platform {
    /// The users who were granted access; the owner is not among them.
    pub async fn collaborators(&self, caller: &User, id: &str) -> Result<Vec<String>, Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        Ok(self.database.collaborators(&app).await?)
    }

    /// Lets `username` work on the app. Again is success.
    pub async fn grant(&self, caller: &User, id: &str, username: &str) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Grant).await?;
        let user = self.known_user(username).await?;
        if user.username != app.owner {
            self.database.grant(&app.id, &user.username).await?;
        }
        self.events.say(&app.id, format!("User {} was granted access to {}", user.username, app.id));
        Ok(())
    }

    /// Takes that back. Users may revoke themselves.
    pub async fn revoke(&self, caller: &User, id: &str, username: &str) -> Result<(), Refusal> {
        let app = self.app(caller, id, Action::Revoke { user: username }).await?.id;
        let user = self.known_user(username).await?;
        if !self.database.revoke(&app, &user.username).await? {
            return Err(Refusal::Forbidden);
        }
        self.events.say(&app, format!("User {} was revoked access to {app}", user.username));
        Ok(())
    }
}
