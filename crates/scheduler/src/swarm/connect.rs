//! The connection to a manager, and the adapter built on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tokio::sync::{Notify, broadcast};

use deis_model::{AppId, ContainerName, ContainerStatus, Job, Workload, WorkloadId};

use super::watch;
use crate::docker::Docker;
use crate::{Attachment, Change, ImageFacts, JobOutcome, Options, Scheduler, SchedulerError};

/// The adapter.
pub(crate) struct Swarm {
    /// The engine of this host.
    pub(crate) local: Arc<Docker>,
    pub(super) changes: broadcast::Sender<Change>,
    /// Asks for a look at once.
    pub(super) poke: Arc<Notify>,
}

impl Swarm {
    /// Connects to the engine of this host, which need not be part of a Swarm yet.
    pub(crate) async fn connect(socket: PathBuf, options: Options) -> Result<Arc<Self>, SchedulerError> {
        let local = Arc::new(Docker::connect(socket, options).await?);
        let (changes, _) = broadcast::channel(watch::BACKLOG);
        let swarm = Arc::new(Self { local, changes, poke: Arc::default() });
        tokio::spawn(watch::run(Arc::downgrade(&swarm)));
        Ok(swarm)
    }

    pub(super) fn client(&self) -> &bollard::Docker {
        &self.local.client
    }

    pub(super) fn platform(&self) -> &str {
        &self.local.options.platform
    }

    pub(super) fn stop_grace(&self) -> Duration {
        self.local.options.stop_grace
    }
}

#[async_trait]
impl Scheduler for Swarm {
    /// Pulls it to this host; the others fetch it when they need it.
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        self.local.prepare_image(image).await
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        self.apply_workload(workload).await
    }

    async fn remove(&self, id: &WorkloadId, _grace: Duration) -> Result<(), SchedulerError> {
        self.remove_workload(id).await
    }

    async fn remove_container(&self, name: &ContainerName, _grace: Duration) -> Result<(), SchedulerError> {
        self.remove_named(name).await
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        self.observe_containers(app).await
    }

    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.run_job(job, attachment).await
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        let swept = self.sweep().await?;
        Ok(swept + self.local.sweep_jobs().await?)
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        Ok(format!("{} in Swarm mode", self.local.version().await?))
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        self.subscribe()
    }
}
