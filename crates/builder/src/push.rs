//! A push, held back by git until its build serves visitors: decided, built, launched.

mod build;

use std::sync::Arc;
use std::time::Instant;

use deis_api::client::InternalClient;
use deis_model::AppId;
use deis_scheduler::Images;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::app_uuid::AppUuid;
use crate::config::Config;
use crate::error::PushError;
use crate::hook::HookRequest;
use crate::kept::Kept;
use crate::launch::Launch;
use crate::mirror::{Copy, Draft};
use crate::output::Output;
use crate::reference::{Deployment, plan};
use crate::repository::Repository;
use crate::source::Source;
use crate::user::User;

/// What all pushes share.
#[derive(Clone)]
pub(crate) struct Platform {
    /// Settings.
    pub(crate) settings: Arc<Config>,
    /// The controller.
    pub(crate) controller: InternalClient,
    /// The engine.
    pub(crate) images: Arc<dyn Images>,
    /// Held while the stack is on its way to the registry.
    pub(crate) stack_moving: Arc<Mutex<()>>,
}

/// One push by one user to one app.
pub(crate) struct Push {
    /// The rest of the platform.
    pub(crate) platform: Platform,
    /// Who pushes.
    pub(crate) user: User,
    /// To which app.
    pub(crate) app: AppId,
    /// Which of those that had its name.
    pub(crate) uuid: AppUuid,
    /// Where it is received.
    pub(crate) repository: Repository,
    /// Its copy in the store, if there are any.
    pub(crate) copy: Option<Arc<Copy>>,
    /// `<client ip> <port> <server ip> <port>`.
    pub(crate) connection: String,
    /// What the client asked for, as in `git-receive-pack 'blog.git'`.
    pub(crate) command: String,
    /// Cancelled when the client leaves.
    pub(crate) left: CancellationToken,
    /// Cancelled when the builder ends.
    pub(crate) ending: CancellationToken,
}

impl Push {
    /// Judges what git received; true lets it in. Everything there is to say goes to `output`.
    pub(crate) async fn receive(&self, request: HookRequest, output: &Output) -> bool {
        match self.deploy(request, output).await {
            Ok(()) => true,
            Err(error) => {
                self.log(&error);
                for line in error.lines() {
                    output.line(line).await;
                }
                false
            }
        }
    }

    fn log(&self, failure: &PushError) {
        let source = std::error::Error::source(failure).map(ToString::to_string);
        match failure {
            PushError::Internal { .. } | PushError::DiskFull => {
                error!(app = %self.app, user = %self.user.name, %failure, source, "push failed");
            }
            failure => info!(app = %self.app, user = %self.user.name, %failure, source, "push refused"),
        }
    }

    async fn deploy(&self, request: HookRequest, output: &Output) -> Result<(), PushError> {
        let plan = plan(&request.updates, &self.platform.settings.deploy_branches)?;
        let Some(deployment) = &plan.deploy else {
            let draft = self.draft(&request, self.repository.head()).await?;
            self.publish(draft).await?;
            self.tell_kept(&plan.kept, &self.usual_branch(), output).await;
            return Ok(());
        };
        let source = Source {
            repository: self.repository.path.clone(),
            quarantine: request.quarantine.clone(),
            sha: deployment.sha.clone(),
        };
        let started = Instant::now();
        let build = tokio::select! {
            build = self.build(&source, output) => build?,
            () = self.left.cancelled() => return Err(PushError::Gone),
            () = self.ending.cancelled() => return Err(PushError::Restarting),
        };
        debug!(app = %self.app, elapsed = ?started.elapsed(), "built");
        // The large part of the copy goes first: what fails from here on leaves a release that a pusher is not told of.
        let draft = self.draft(&request, Some(deployment.branch.clone())).await?;
        // From here on the release may come to serve, so the push is carried through whoever listens.
        let Self { platform, user, app, uuid, .. } = self;
        let launch = Launch { platform, user, app, uuid, build };
        if let Err(error) = launch.run(output).await {
            self.drop_draft(draft).await;
            return Err(error);
        }
        debug!(app = %self.app, elapsed = ?started.elapsed(), "launched");
        self.publish(draft).await?;
        self.tell_kept(&plan.kept, &deployment.branch, output).await;
        self.point_head(deployment);
        self.remove_old_images();
        Ok(())
    }

    /// Stores what the push brings, if there is a store for it.
    async fn draft(&self, request: &HookRequest, head: Option<String>) -> Result<Option<Draft>, PushError> {
        let Some(copy) = &self.copy else { return Ok(None) };
        let draft = copy.draft(&request.updates, &request.quarantine, head).await;
        draft.map_err(|error| PushError::NotStored(std::io::Error::other(format!("{error:#}"))))
    }

    /// Makes what was stored count: the push is acknowledged only when another builder would know of it.
    async fn publish(&self, draft: Option<Draft>) -> Result<(), PushError> {
        match (&self.copy, draft) {
            (Some(copy), Some(draft)) => copy.publish(draft).await,
            _ => Ok(()),
        }
    }

    async fn drop_draft(&self, draft: Option<Draft>) {
        if let (Some(copy), Some(draft)) = (&self.copy, draft) {
            copy.drop_draft(draft).await;
        }
    }

    fn kept(&self) -> Kept {
        Kept::of(&self.repository, self.platform.settings.limits.kept_images)
    }

    /// The pusher need not wait for it.
    fn remove_old_images(&self) {
        let (kept, app, images) = (self.kept(), self.app.clone(), self.platform.images.clone());
        tokio::spawn(async move {
            if let Err(error) = kept.remove_others(&app, &*images).await {
                warn!(%app, %error, "failed to remove old images");
            }
        });
    }

    /// The branch that was deployed last, or else the one that a first push would use.
    fn usual_branch(&self) -> String {
        let branches = &self.platform.settings.deploy_branches;
        let last = self.repository.head().filter(|head| branches.contains(head));
        last.or_else(|| branches.first().cloned()).unwrap_or_else(|| "main".to_owned())
    }

    async fn tell_kept(&self, kept: &[String], target: &str, output: &Output) {
        for name in kept {
            let deployed = self.platform.settings.deploy_branches.join(" or ");
            let cure = format!("to deploy it: git push deis {name}:{target}");
            output.detail(&format!("{name} is kept, but only {deployed} is deployed; {cure}")).await;
        }
    }

    /// So that a clone checks out what was deployed.
    fn point_head(&self, deployment: &Deployment) {
        if let Err(error) = self.repository.point_head(&deployment.branch) {
            warn!(app = %self.app, %error, "failed to set HEAD");
        }
    }
}
