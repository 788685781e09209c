//! Why a push or fetch does not happen, in words for the one who waits for it.

use std::io;

use deis_api::client::CallError;
use deis_model::{AppId, ProcfileError};
use deis_scheduler::SchedulerError;

/// Why a push or fetch was refused. Messages are shown to the pusher; sources go to the log only.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("your SSH key is not known to this platform; add it with `deis keys:add`")]
    UnknownKey,
    #[error("there is no app {0}; create it with `deis create {0}`, or correct the remote's URL")]
    UnknownApp(AppId),
    #[error("{0} was destroyed and created again while this push was under way; push again")]
    Reborn(AppId),
    #[error(
        "{user} may not use {app}; its owner can change that with `deis perms:create {user} --app={app}`"
    )]
    Denied { user: String, app: AppId },
    #[error("the controller does not answer, so nothing was changed; try again in a minute")]
    ControllerAway(#[source] CallError),
    #[error("the controller refused to {action}: {detail}")]
    ControllerRefused { action: &'static str, detail: String },
    #[error("Another git push is ongoing. Aborting...")]
    Busy,
    #[error("{0} is the branch that is deployed and cannot be deleted; `deis destroy` removes the whole app")]
    DeployBranchDeleted(String),
    #[error(transparent)]
    Procfile(#[from] ProcfileError),
    #[error("{0} is larger than 1 MiB, which cannot be right")]
    FileTooLarge(String),
    #[error("the stack image {0} is missing; an operator makes it with `deisctl stack build`")]
    NoStack(String),
    #[error("the Dockerfile build failed: {0}")]
    DockerfileBuild(String),
    #[error("the build failed with status {0}; the lines above say why")]
    Build(i64),
    #[error("the build ran out of memory, at a limit of {0}; let it use less, or ask an operator for more")]
    OutOfMemory(String),
    #[error("the build took longer than {0} minutes and was stopped")]
    BuildTimeout(u64),
    #[error("{0}")]
    Engine(#[source] SchedulerError),
    #[error(
        "the disk of the builder is full; an operator must free space (`docker system df` shows what uses it)"
    )]
    DiskFull,
    #[error(
        "the registry at {registry} does not answer ({reason}), so nothing was changed; try again in a minute"
    )]
    RegistryAway { registry: String, reason: String },
    #[error("the registry did not take the image: {0}; nothing was changed, push again when that is settled")]
    NotKept(String),
    #[error(
        "the platform's store or its controller does not answer, so the repository may not be up to date; nothing was \
         changed, try again in a minute"
    )]
    CopyAway(#[source] io::Error),
    #[error("the platform's store did not take the source; nothing was changed, try again in a minute")]
    NotStored(#[source] io::Error),
    #[error("the controller did not take note of the push, so it may be lost; push again")]
    Unpublished(#[source] CallError),
    #[error("another builder took a push of this app meanwhile, so this one is refused; push again")]
    Overtaken,
    #[error("{0}")]
    Launch(String),
    #[error("the launch took longer than {0} minutes; `deis releases` shows how it ended")]
    LaunchTimeout(u64),
    #[error("the connection broke, so the build was stopped")]
    Gone,
    #[error("the builder is restarting; nothing was changed, push again in a minute")]
    Restarting,
    #[error("failed to {action}; an operator finds more in the builder's log")]
    Internal {
        action: &'static str,
        #[source]
        source: io::Error,
    },
}

impl PushError {
    /// Makes an I/O error one of these, naming what was attempted.
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Internal { action, source },
        }
    }

    /// Makes an engine's error one of these.
    pub(crate) fn engine(error: SchedulerError) -> Self {
        match error {
            error if error.to_string().contains("no space left on device") => Self::DiskFull,
            SchedulerError::TimedOut { seconds, .. } => Self::BuildTimeout(seconds.div_ceil(60)),
            error => Self::Engine(error),
        }
    }

    /// The lines shown to the pusher.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.to_string().lines().map(|line| format!(" !     {line}")).collect()
    }
}
