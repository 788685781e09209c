//! One-off commands: run by the controller that was asked, at most once.

use bytes::Bytes;
use deis_model::command::run_command;
use deis_model::{AppId, ContainerName, Job, ProcessType, WorkloadId, intent};
use deis_scheduler::{Attachment, OutputFrame};
use tokio::sync::mpsc;

use crate::app::DeployError;

use super::Deployer;

/// How much of a command's output is kept for the answer, in bytes; what is beyond is cut.
const MAX_OUTPUT: usize = 16 * 1024 * 1024;

impl Deployer {
    /// Runs `command` in the environment of the deployed release: exit status and output.
    pub(super) async fn run_job(
        &self,
        app: &AppId,
        command: &str,
        input: Option<Bytes>,
    ) -> Result<(i64, String), DeployError> {
        let job = self.job(app, command).await?;
        let (output, frames) = mpsc::channel(256);
        let attachment = Attachment { input, output, timeout: self.settings.job_timeout };
        let collecting = tokio::spawn(collect(frames));
        let outcome = self.scheduler.run(&job, attachment).await.map_err(DeployError::from_scheduler)?;
        let bytes = collecting.await.unwrap_or_default();
        Ok((outcome.exit_code, String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn job(&self, app: &AppId, command: &str) -> Result<Job, DeployError> {
        let database = &self.database;
        let desired = database.desired(app).await.map_err(DeployError::from_database)?;
        let release = desired.and_then(|desired| desired.deployed).ok_or(DeployError::NothingDeployed)?;
        let build = release.build.as_ref().ok_or(DeployError::NothingDeployed)?;
        self.scheduler.prepare(&build.image).await.map_err(DeployError::from_scheduler)?;
        let number = database.next_job(app, release.version).await.map_err(DeployError::from_database)?;
        let process = ProcessType::run();
        Ok(Job {
            image: build.image.clone(),
            command: run_command(build, command),
            environment: intent::environment(app, &release),
            limits: intent::limits(&release.config, &process),
            tags: release.config.tags.clone(),
            name: ContainerName {
                workload: WorkloadId { app: app.clone(), release: release.version, process },
                number,
            },
        })
    }
}

async fn collect(mut frames: mpsc::Receiver<OutputFrame>) -> Vec<u8> {
    let mut output = Vec::new();
    while let Some(frame) = frames.recv().await {
        let room = MAX_OUTPUT.saturating_sub(output.len());
        output.extend_from_slice(&frame.bytes[..frame.bytes.len().min(room)]);
    }
    output
}
