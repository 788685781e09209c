//! Handing a finished build over: its image to the registry, its release to the controller.

use std::future::Future;
use std::time::{Duration, Instant};

use deis_api::client::CallError;
use deis_api::v1::hooks::{BuildHook, BuildHookResponse};
use deis_model::{AppId, Procfile};
use tokio::sync::mpsc;
use tracing::debug;

use crate::app_uuid::AppUuid;
use crate::config::short;
use crate::error::PushError;
use crate::output::Output;
use crate::push::Platform;
use crate::user::{User, detail, refusal};

/// How often the registry is tried.
const TRIES: u32 = 3;

/// What a push was built into.
pub(crate) struct Build {
    /// The image with registry and tag.
    pub(crate) image: String,
    /// The commit.
    pub(crate) sha: String,
    /// Process types.
    pub(crate) procfile: Procfile,
    /// Whether a Dockerfile made it.
    pub(crate) dockerfile: bool,
}

/// A build on its way to visitors.
pub(crate) struct Launch<'a> {
    /// The rest of the platform.
    pub(crate) platform: &'a Platform,
    /// Who pushed.
    pub(crate) user: &'a User,
    /// To which app.
    pub(crate) app: &'a AppId,
    /// Which of those that had its name.
    pub(crate) uuid: &'a AppUuid,
    /// What was built.
    pub(crate) build: Build,
}

impl Launch<'_> {
    /// Launches the build; returns when the image is kept and visitors are served.
    ///
    /// In this order, so that a push that fails has changed nothing.
    pub(crate) async fn run(&self, output: &Output) -> Result<(), PushError> {
        output.title("Pushing image to private registry").await;
        let kept = self.with_heartbeat(self.keep(), "the registry to take the image", output).await;
        kept.map_err(PushError::NotKept)?;
        output.title("Launching...").await;
        let released = self.with_heartbeat(self.release(), "the release to serve", output).await?;
        let release = format!("{}:v{}", self.app, released.release.version);
        self.tell(&release, &released, output).await;
        Ok(())
    }

    /// Pushes the image to the registry, where other hosts and later starts find it.
    async fn keep(&self) -> Result<(), String> {
        let started = Instant::now();
        // An image on a stack that is on its way would take all of the stack along a second time.
        drop(self.platform.stack_moving.lock().await);
        let mut kept = self.push_image().await;
        for tried in 1..TRIES {
            if kept.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(u64::from(tried))).await;
            kept = self.push_image().await;
        }
        debug!(app = %self.app, elapsed = ?started.elapsed(), kept = kept.is_ok(), "pushed the image");
        kept
    }

    async fn push_image(&self) -> Result<(), String> {
        // The registry's bars are of no use to the pusher, but somebody has to take them.
        let (progress, mut arriving) = mpsc::channel(64);
        let credentials = &self.platform.settings.registry_credentials;
        let push = self.platform.images.push(&self.build.image, credentials, progress);
        let discard = async { while arriving.recv().await.is_some() {} };
        let both = async { tokio::join!(push, discard).0 };
        let limit = self.platform.settings.limits.launch;
        match tokio::time::timeout(limit, both).await {
            Ok(pushed) => pushed.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it took longer than {} minutes", limit.as_secs().div_ceil(60))),
        }
    }

    async fn release(&self) -> Result<BuildHookResponse, PushError> {
        let started = Instant::now();
        let procfile = self.build.procfile.0.iter();
        let body = BuildHook {
            receive_user: self.user.name.clone(),
            receive_repo: self.app.to_string(),
            app_uuid: self.uuid.to_string(),
            image: self.build.image.clone(),
            sha: short(&self.build.sha).to_owned(),
            procfile: procfile.map(|(name, command)| (name.to_string(), command.clone())).collect(),
            dockerfile: if self.build.dockerfile { "true".to_owned() } else { String::new() },
        };
        let limit = self.platform.settings.limits.launch;
        let answer = self.platform.controller.post("/v1/hooks/build", &body, limit).await;
        debug!(app = %self.app, elapsed = ?started.elapsed(), "the controller answered the build");
        answer.map_err(|error| self.failure(error, started.elapsed() >= limit))
    }

    fn failure(&self, error: CallError, late: bool) -> PushError {
        match error.status().map(|status| status.as_u16()) {
            None if late => {
                PushError::LaunchTimeout(self.platform.settings.limits.launch.as_secs().div_ceil(60))
            }
            Some(401 | 403 | 404 | 502 | 504) | None => {
                refusal(error, "launch the build", self.user, self.app)
            }
            Some(_) => PushError::Launch(detail(error)),
        }
    }

    /// Tells the pusher every few seconds that `what` is waited for.
    async fn with_heartbeat<T>(&self, work: impl Future<Output = T>, what: &str, output: &Output) -> T {
        let started = Instant::now();
        let mut beat = tokio::time::interval(self.platform.settings.limits.heartbeat);
        beat.tick().await;
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = beat.tick() => {
                    let seconds = started.elapsed().as_secs();
                    output.detail(&format!("waiting for {what} ({seconds} s)")).await;
                }
            }
        }
    }

    async fn tell(&self, release: &str, released: &BuildHookResponse, output: &Output) {
        let done = match released.canary {
            None => format!("done, {release} deployed to Deis"),
            Some(weight) => format!(
                "done, {release} is tried out on {weight} % of the requests; `deis canary:promote` gives it all"
            ),
        };
        output.detail(&done).await;
        output.line("").await;
        if let Some(domain) = released.domains.first() {
            let port = self.platform.settings.router_port.filter(|port| *port != 80);
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            output.detail(&format!("http://{domain}{port}")).await;
            output.line("").await;
        }
        output.detail("To learn more, use `deis help` or visit http://deis.io").await;
        output.line("").await;
    }
}
