//! Hooks: what the builder asks and reports on behalf of the user who pushes.

use deis_api::v1::hooks::{BuildHook, BuildHookResponse, HookRelease, PushHook};
use deis_database::{App, NewBuild, NewPush, Push, Slice};
use deis_model::permission::Action;
use deis_model::{AppId, Config, Procfile, ReleaseState, User, canary};

use super::{Platform, Refusal};

/// How many domains a pusher is told about.
const LISTED_DOMAINS: u32 = 100;
/// How many digits of a commit builds and images are named after.
const SHORT_SHA: usize = 8;

impl Platform {
    /// Refuses unless the user may push to the app; records the push. Returns it with the tag of the image to build.
    pub async fn push(&self, hook: PushHook) -> Result<(AppId, Push, String), Refusal> {
        let (user, App { id: app, .. }) = self.pusher(&hook.receive_user, &hook.receive_repo).await?;
        let tag = self.free_tag(&app, &hook.sha).await?;
        let push = NewPush {
            owner: user.username,
            sha: hook.sha,
            fingerprint: hook.fingerprint,
            receive_user: hook.receive_user,
            receive_repo: hook.receive_repo,
            ssh_connection: hook.ssh_connection,
            ssh_original_command: hook.ssh_original_command,
        };
        let push = self.database.add_push(&app, push).await?;
        Ok((app, push, tag))
    }

    /// A tag for an image of `commit` that no build of the app has: earlier releases keep theirs when a commit is
    /// pushed again, with another config perhaps.
    async fn free_tag(&self, app: &AppId, commit: &str) -> Result<String, Refusal> {
        let sha = commit.get(..SHORT_SHA).unwrap_or(commit);
        Ok(match self.database.builds_of_commit(app, sha).await? {
            0 => format!("git-{sha}"),
            before => format!("git-{sha}-{}", before + 1),
        })
    }

    /// The app, and the config with which it is built.
    pub async fn pushed_config(&self, username: &str, repository: &str) -> Result<(App, Config), Refusal> {
        let (_, app) = self.pusher(username, repository).await?;
        let config = self.database.config(&app.id).await?.ok_or(Refusal::NotFound)?;
        Ok((app, config))
    }

    /// Releases what the builder made and waits until it serves, all or a part.
    ///
    /// Refuses what was pushed to an earlier app of the same name.
    pub async fn pushed_build(
        &self,
        hook: BuildHook,
        procfile: Procfile,
    ) -> Result<BuildHookResponse, Refusal> {
        let (user, App { id: app, uuid, .. }) = self.pusher(&hook.receive_user, &hook.receive_repo).await?;
        if !hook.app_uuid.is_empty() && hook.app_uuid != uuid {
            return Err(Refusal::NotFound);
        }
        // Builders of the original named the bare app and left registry and tag to the controller.
        let image = match hook.image == app.as_str() {
            true => format!("{}/{app}:git-{}", self.registry_host, hook.sha),
            false => hook.image,
        };
        let new = NewBuild {
            owner: user.username.clone(),
            image,
            sha: hook.sha,
            procfile,
            dockerfile: hook.dockerfile,
        };
        let released = self.release_build(&app, &user, new).await?;
        let domains = self.database.domains(&app, Slice::first(LISTED_DOMAINS)).await?;
        let own = domains.items.into_iter().map(|domain| domain.domain);
        let domains = std::iter::once(self.default_host(&app)).chain(own).collect();
        let canary = match released.release.state {
            ReleaseState::Starting => Some(canary::weight(&self.database.app_settings(&app).await?)),
            _ => None,
        };
        let release = HookRelease { version: released.release.version.number() };
        Ok(BuildHookResponse { release, domains, canary })
    }

    async fn pusher(&self, username: &str, repository: &str) -> Result<(User, App), Refusal> {
        let user = self.known_user(username).await?;
        if !user.is_active {
            return Err(Refusal::Forbidden);
        }
        let app = self.app(&user, repository, Action::Change).await?;
        Ok((user, app))
    }
}
