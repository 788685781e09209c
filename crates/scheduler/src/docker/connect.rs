//! The connection to the engine, and the adapter built on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::HostConfigLogConfig;
use futures::stream::BoxStream;

use deis_model::{AppId, ContainerName, ContainerStatus, Job, Workload, WorkloadId};

use super::events::Watcher;
use super::failure::away;
use crate::{Attachment, Change, Credentials, ImageFacts, JobOutcome, Options, Scheduler, SchedulerError};

/// How long the engine may take until it begins to answer.
const ANSWER_SECONDS: u64 = 120;

/// The size at which the engine turns a container's output file over, and how many it keeps.
const OUTPUT_FILE_LIMITS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "2")];

/// The adapter.
pub(crate) struct Docker {
    pub(crate) client: bollard::Docker,
    pub(crate) options: Options,
    /// How containers' output is kept; none leaves it to the engine's own setting.
    pub(crate) output: Option<HostConfigLogConfig>,
    pub(super) watcher: Arc<Watcher>,
    socket: PathBuf,
}

impl Docker {
    /// Connects, agrees on an API version and starts following the engine's events.
    pub(crate) async fn connect(socket: PathBuf, options: Options) -> Result<Self, SchedulerError> {
        let client = negotiate(&socket).await.map_err(|error| away(&socket, &error))?;
        let info = client.info().await.map_err(|error| away(&socket, &error))?;
        let output = output_limits(info.logging_driver.as_deref());
        let watcher = Watcher::start(client.clone(), &options.platform);
        Ok(Self { client, options, output, watcher, socket })
    }

    /// The client for a call that the engine answers only after `wait`.
    pub(crate) fn patient(&self, wait: Duration) -> bollard::Docker {
        self.client.clone().with_timeout(wait + Duration::from_secs(ANSWER_SECONDS))
    }

    /// Where the engine listens.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Who to be at the registry of `image`; nobody unless it is the platform's own.
    pub(crate) fn credentials(&self, image: &str) -> Option<&Credentials> {
        let (host, credentials) = self.options.registry.as_ref()?;
        image.strip_prefix(host.as_str())?.starts_with('/').then_some(credentials)
    }
}

#[async_trait]
impl Scheduler for Docker {
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        self.prepare_image(image).await
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        self.apply_workload(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.remove_workload(id, grace).await
    }

    async fn remove_container(&self, name: &ContainerName, grace: Duration) -> Result<(), SchedulerError> {
        self.remove_named(name, grace).await
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        self.observe_containers(app).await
    }

    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.run_job(job, attachment).await
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        self.sweep().await
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        let version = self.client.version().await.map_err(|error| away(&self.socket, &error))?;
        Ok(format!("Docker Engine {}", version.version.unwrap_or_default()))
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        self.watcher.subscribe()
    }
}

async fn negotiate(socket: &Path) -> Result<bollard::Docker, bollard::errors::Error> {
    let path = socket.to_string_lossy();
    let client = bollard::Docker::connect_with_unix(&path, ANSWER_SECONDS, bollard::API_DEFAULT_VERSION)?;
    client.negotiate_version().await
}

/// Limits are set only for the engine's own default; an operator who chose another driver chose its limits too.
fn output_limits(driver: Option<&str>) -> Option<HostConfigLogConfig> {
    let limits = OUTPUT_FILE_LIMITS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    (driver? == "json-file")
        .then(|| HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(limits.into()) })
}
