//! Building by running a command in a container and keeping what it leaves.
//!
//! An image keeps its container's description for good: command, environment and labels go into the image's
//! configuration and history, and a commit cannot take them out again. So the container is described by nothing but a
//! process that waits, and the build runs inside it as a second process: its environment is never part of a description.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{
    ContainerConfig, ContainerCreateBody, HostConfig, ImageConfig, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use super::Docker;
use super::build::Lines;
use super::create::variables;
use super::failure::{present, status};
use super::job::now;
use super::reference::Reference;
use crate::labels;
use crate::{BuildContainer, BuildOutcome, Progress, SchedulerError};

/// Names of containers that build begin with this.
pub(super) const NAME: &str = "deis-build-";

/// The process that waits while the build runs.
const WAITER: [&str; 2] = ["sleep", "infinity"];

/// How long making the image of a finished build may take.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

impl Docker {
    pub(super) async fn build_in_container(
        &self,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError> {
        self.ensure_network().await?;
        let id = self.create_waiter(&build.base, self.waiter(&build)).await?;
        let mut waiter = Waiter { client: self.client.clone(), id: Some(id.clone()) };
        let outcome = self.build_inside(&id, build, progress).await;
        let removed = self.discard(&id).await;
        waiter.id = None;
        let outcome = outcome?;
        removed.map(|()| outcome)
    }

    async fn build_inside(
        &self,
        id: &str,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<BuildOutcome, SchedulerError> {
        let target = build.target.clone();
        let seconds = build.timeout.as_secs();
        let (labels, changes) = (build.labels.clone(), build.changes.join("\n"));
        let base = build.base.clone();
        let ran = tokio::time::timeout(build.timeout, self.execute(id, build, progress)).await;
        let exit_code = ran.map_err(|_| SchedulerError::TimedOut { subject: target.clone(), seconds })??;
        let out_of_memory = self.ran_out_of_memory(id).await?;
        if exit_code == 0 {
            let config = self.image_config(&base, labels.into_keys()).await?;
            self.commit(id, &target, changes, config).await?;
        }
        Ok(BuildOutcome { exit_code, out_of_memory })
    }

    async fn create_waiter(&self, base: &str, body: ContainerCreateBody) -> Result<String, SchedulerError> {
        // Unique without randomness: nanoseconds and the process tell builds apart.
        let name = format!("{NAME}{}-{}", now().as_nanos(), std::process::id());
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        match self.client.create_container(Some(options), body).await {
            Ok(created) => Ok(created.id),
            Err(error) if status(&error) == Some(404) => Err(SchedulerError::NoImage {
                image: base.to_owned(),
                reason: "the engine does not have it".to_owned(),
            }),
            Err(error) => Err(self.failed("create", "build container", &error)),
        }
    }

    fn waiter(&self, build: &BuildContainer) -> ContainerCreateBody {
        let deadline = now().as_secs().saturating_add((build.timeout + COMMIT_TIMEOUT).as_secs());
        let mut labels: HashMap<_, _> = build.labels.clone().into_iter().collect();
        labels.insert(labels::BUILD.to_owned(), self.options.platform.clone());
        labels.insert(labels::DEADLINE.to_owned(), deadline.to_string());
        let memory = build.memory_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        let host_config = HostConfig {
            memory,
            memory_swap: memory,
            network_mode: Some(self.options.network.clone()),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            mounts: Some(build.volumes.iter().map(|(name, path)| self.volume_mount(name, path)).collect()),
            ..Default::default()
        };
        ContainerCreateBody {
            image: Some(build.base.clone()),
            entrypoint: Some(WAITER.map(str::to_owned).into()),
            labels: Some(labels),
            host_config: Some(host_config),
            ..Default::default()
        }
    }

    /// Puts the files in place, runs the command and answers its exit status.
    async fn execute(
        &self,
        id: &str,
        build: BuildContainer,
        progress: Progress,
    ) -> Result<i64, SchedulerError> {
        let failed = |action| move |error: Error| self.failed(action, "build container", &error);
        self.upload(id, build.files).await.map_err(failed("put files into"))?;
        self.start(id).await.map_err(failed("start"))?;
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(variables(&build.environment)),
            cmd: Some(build.command),
            user: build.user,
            ..Default::default()
        };
        let execution = self.client.create_exec(id, options).await.map_err(failed("run the build in"))?.id;
        let started = self.client.start_exec(&execution, None).await.map_err(failed("run the build in"))?;
        if let StartExecResults::Attached { output, input: _input } = started {
            forward(output, &progress).await.map_err(failed("read the output of"))?;
        }
        let ended = self.client.inspect_exec(&execution).await.map_err(failed("inspect the build in"))?;
        // No status: the container itself was killed under the build.
        Ok(ended.exit_code.unwrap_or(137))
    }

    async fn upload(&self, id: &str, files: Box<dyn AsyncRead + Send + Unpin>) -> Result<(), Error> {
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let files = bollard::body_try_stream(ReaderStream::new(files));
        self.client.upload_to_container(id, Some(options), files).await
    }

    async fn ran_out_of_memory(&self, id: &str) -> Result<bool, SchedulerError> {
        let answer = present(self.client.inspect_container(id, None).await);
        let answer = answer.map_err(|error| self.failed("inspect", "build container", &error))?;
        Ok(answer.and_then(|answer| answer.state?.oom_killed).unwrap_or(false))
    }

    /// The base image's configuration, with the container's labels blanked: what is left out, a commit takes from the container.
    async fn image_config(
        &self,
        base: &str,
        labels: impl Iterator<Item = String>,
    ) -> Result<ContainerConfig, SchedulerError> {
        let image = self.client.inspect_image(base).await;
        let image = image.map_err(|error| self.failed("inspect image", base, &error))?;
        let mut config = container_config(image.config.unwrap_or_default());
        let kept = config.labels.get_or_insert_default();
        for label in labels.chain([labels::BUILD.to_owned(), labels::DEADLINE.to_owned()]) {
            kept.insert(label, String::new());
        }
        Ok(config)
    }

    async fn commit(
        &self,
        id: &str,
        target: &str,
        changes: String,
        config: ContainerConfig,
    ) -> Result<(), SchedulerError> {
        // Whatever the build left running would change files while they are read.
        let killed = self.client.kill_container(id, None).await;
        let Reference { repository, tag } = Reference::split(target);
        let options = CommitContainerOptionsBuilder::new().container(id).repo(repository).tag(tag);
        let options = options.changes(&changes).pause(killed.is_err()).build();
        let committed = self.patient(COMMIT_TIMEOUT).commit_container(options, config).await;
        committed.map(drop).map_err(|error| self.failed("make image", target, &error))
    }
}

/// The container of a build. Removed also when nobody waits for the build any more.
struct Waiter {
    client: bollard::Docker,
    /// None once it is removed.
    id: Option<String>,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let client = self.client.clone();
        runtime.spawn(async move {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            // What fails here is left to the sweep.
            let _ = client.remove_container(&id, Some(options)).await;
        });
    }
}

/// An image's configuration as a commit takes it.
///
/// Entrypoint is set even if the image has none, or the commit would take the waiter's.
fn container_config(image: ImageConfig) -> ContainerConfig {
    ContainerConfig {
        user: image.user,
        exposed_ports: image.exposed_ports,
        env: image.env,
        cmd: image.cmd,
        healthcheck: image.healthcheck,
        volumes: image.volumes,
        working_dir: image.working_dir,
        entrypoint: Some(image.entrypoint.unwrap_or_default()),
        on_build: image.on_build,
        labels: image.labels,
        stop_signal: image.stop_signal,
        shell: image.shell,
        ..Default::default()
    }
}

async fn forward(
    mut output: BoxStream<'static, Result<LogOutput, Error>>,
    progress: &Progress,
) -> Result<(), Error> {
    let mut lines = Lines::default();
    while let Some(frame) = output.next().await {
        for line in lines.take(&frame?.into_bytes()) {
            let _ = progress.send(line).await;
        }
    }
    if let Some(line) = lines.rest() {
        let _ = progress.send(line).await;
    }
    Ok(())
}
