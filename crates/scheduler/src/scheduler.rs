//! The port itself: small, declarative, the same for every engine.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use deis_model::{AppId, ContainerName, ContainerStatus, Job, Workload, WorkloadId};

use crate::{ImageFacts, OutputFrame, SchedulerError};

/// Something about an app's containers changed: observe it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Containers of this app started, stopped, died or went.
    App(AppId),
    /// The watch was interrupted (the engine went away and came back): anything may have changed.
    All,
}

impl Change {
    /// What `changes` brings; whoever was too slow for some of it is told that anything may have changed.
    pub(crate) fn as_they_come(changes: Receiver<Self>) -> BoxStream<'static, Self> {
        let watched = stream::unfold(changes, |mut changes| async move {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(RecvError::Lagged(_)) => Some((Self::All, changes)),
                // The adapter is gone; the contract is never to end.
                Err(RecvError::Closed) => futures::future::pending().await,
            }
        });
        watched.boxed()
    }
}

/// What a job is connected to while it runs.
pub struct Attachment {
    /// What it reads, then the end: at most [`Job::INPUT_LIMIT`] bytes, of which it need not read all. None is no input, which
    /// ends at once.
    ///
    /// All of it is there before the job starts: Docker Swarm cannot tell a process later that its input has ended.
    pub input: Option<Bytes>,
    /// Receives output in order as it comes. Closed by the receiver: output is dropped, the job goes on.
    pub output: tokio::sync::mpsc::Sender<OutputFrame>,
    /// After this long it is killed.
    pub timeout: Duration,
}

impl Attachment {
    /// Refuses more input for `job` than every engine takes.
    pub(crate) fn check_input(&self, job: &Job) -> Result<(), SchedulerError> {
        let length = self.input.as_ref().map_or(0, Bytes::len);
        let limit = Job::INPUT_LIMIT;
        if length <= limit {
            return Ok(());
        }
        let reason = format!("its input has {length} bytes; at most {limit} are possible");
        Err(SchedulerError::Engine { action: "run", subject: job.name.to_string(), reason })
    }
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// Its exit status.
    pub exit_code: i64,
}

/// Runs workloads somewhere. Every call is idempotent.
#[async_trait]
pub trait Scheduler: Send + Sync {
    /// Makes the image available wherever it may run, pulling it where it is missing, and tells about it.
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError>;

    /// Makes `workload` exist as described: containers 1 to `replicas` made and started, higher numbers stopped and removed.
    ///
    /// Containers made from a different description (other fingerprint) are replaced. Returns once the engine has accepted
    /// them; readiness shows in [`Scheduler::observe`] and in the publisher's reports.
    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError>;

    /// Stops (SIGTERM, then SIGKILL after `grace`) and removes all containers of the workload; absent is success.
    ///
    /// Docker Swarm takes what it was told when it made the container in place of `grace`: the workload's own time
    /// ([`deis_model::HostAccess`]), else [`crate::Options::stop_grace`].
    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), SchedulerError>;

    /// Stops and removes one container; absent is success. [`Scheduler::apply`] makes it anew.
    async fn remove_container(&self, name: &ContainerName, grace: Duration) -> Result<(), SchedulerError>;

    /// The containers of `app`, or of all apps, in the order of their names. Jobs are included as type `run`.
    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError>;

    /// Runs `job` to its end with its input and output attached and removes its container, a moment later: what it
    /// printed is read from it for the app's log.
    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError>;

    /// Removes containers of jobs and builds that ended, or outlived their time, more than a minute ago: whoever
    /// waited for them is gone. Answers how many. To be called now and then.
    async fn sweep_jobs(&self) -> Result<usize, SchedulerError>;

    /// The engine's name and version, asked now: shows whether it answers.
    async fn version(&self) -> Result<String, SchedulerError>;

    /// Changes as they happen, from now on. Never ends: a lost engine is waited for.
    fn watch(&self) -> BoxStream<'static, Change>;
}
