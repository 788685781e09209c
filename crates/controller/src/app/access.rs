//! Access: the one way from a name in a request to the object it names.

use deis_database::App;
use deis_model::permission::{Action, Actor, Object, may};
use deis_model::{AppId, User};

use super::{Platform, Refusal};

impl Platform {
    /// The app called `id` if `caller` may do `action` to it. Unknown apps are not found by anybody.
    pub async fn app(&self, caller: &User, id: &str, action: Action<'_>) -> Result<App, Refusal> {
        let id = AppId::parse(id).map_err(|_| Refusal::NotFound)?;
        let access = self.database.app_access(&id, &caller.username).await?.ok_or(Refusal::NotFound)?;
        let object = Object::App { owner: &access.app.owner, shared: access.shared };
        permit(caller, action, object)?;
        Ok(access.app)
    }

    /// The user called `username` if `caller` may manage that account.
    ///
    /// Others are told nothing about which names exist.
    pub(super) async fn account(&self, caller: &User, username: &str) -> Result<User, Refusal> {
        permit(caller, Action::Manage, Object::Account { username })?;
        self.known_user(username).await
    }

    /// The user called `username`.
    pub(super) async fn known_user(&self, username: &str) -> Result<User, Refusal> {
        self.database.user(username).await?.ok_or(Refusal::NotFound)
    }
}

/// Refuses unless `caller` may do `action` to `object`.
pub(super) fn permit(caller: &User, action: Action<'_>, object: Object<'_>) -> Result<(), Refusal> {
    let actor = Actor { username: &caller.username, is_admin: caller.is_admin };
    if may(actor, action, object) { Ok(()) } else { Err(Refusal::Forbidden) }
}

/// Refuses unless `caller` is an administrator.
pub(super) fn permit_admin(caller: &User) -> Result<(), Refusal> {
    permit(caller, Action::Administer, Object::Platform)
}
