//! One-off commands: run to their end somewhere, at most once.
//!
//! A job's service makes one task and never another: not when the task fails, nor when its host is lost, nor when another
//! manager leads. It is removed when somebody was told how it ended, so that a lost host that comes back ends what it
//! still runs of it.

mod watch;

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{Task, TaskSpecContainerSpecSecrets, TaskState};
use bollard::query_parameters::{LogsOptions, LogsOptionsBuilder};
use futures::StreamExt;
use tokio::sync::mpsc::Sender;

use deis_model::{Job, ProcessType};

use super::Swarm;
use super::failure::refused;
use super::history::{ended_by_itself, exit_code, is_over, state_of, told};
use super::output::is_printed;
use super::service::Runs;
use super::trouble::{last_message, refusal};
use crate::docker::{KEPT_FOR, now, overdue, unstamped};
use crate::{Attachment, ClusterHost, JobOutcome, OutputFrame, SchedulerError, labels};

use watch::Watch;

/// How long the rest of an ended job's output may take to come.
const OUTPUT_WITHIN: Duration = Duration::from_secs(15);

/// Until a manager that could not have all of it is asked again.
const OUTPUT_AGAIN_AFTER: Duration = Duration::from_millis(500);

impl Swarm {
    pub(super) async fn run_job(
        &self,
        job: &Job,
        attachment: Attachment,
    ) -> Result<JobOutcome, SchedulerError> {
        attachment.check_input(job)?;
        let hosts = self.fitting_nodes(&job.tags).await?;
        let (job, secrets) = &self.with_input(job, attachment.input).await?;
        let (mut id, timeout) = (None, attachment.timeout);
        let ran = self.run_once(job, &hosts, secrets, timeout, &attachment.output, &mut id);
        let late = SchedulerError::TimedOut { subject: job.name.to_string(), seconds: timeout.as_secs() };
        let ran = tokio::time::timeout(timeout, ran).await.unwrap_or(Err(late));
        let secrets = secrets.iter().filter_map(|secret| secret.secret_id.clone()).collect();
        self.dismiss(id, secrets, ran.is_err()).await;
        ran
    }

    /// Has the job run on one of `hosts`; on another when one turns it away, which does so before anything of it has run.
    ///
    /// `id` is its present service.
    async fn run_once(
        &self,
        job: &Job,
        hosts: &[ClusterHost],
        secrets: &[TaskSpecContainerSpecSecrets],
        timeout: Duration,
        output: &Sender<OutputFrame>,
        id: &mut Option<String>,
    ) -> Result<JobOutcome, SchedulerError> {
        let deadline = now().as_secs().saturating_add(timeout.as_secs());
        let runs = Runs::One(job.name.clone());
        let mut avoided: Vec<String> = Vec::new();
        loop {
            let spec = self.once(job, deadline, secrets, &avoided);
            *id = self.create_service(&runs, &job.image, spec).await?;
            let service = id
                .as_deref()
                .ok_or_else(|| refused("create job", &runs.to_string(), "there is one of that name"))?;
            let task = self.attend(service, job, output).await?;
            let turned_away = task.node_id.as_ref().filter(|_| state_of(&task) == Some(TaskState::REJECTED));
            avoided.extend(turned_away.cloned());
            if turned_away.is_none() || hosts.iter().all(|host| avoided.contains(&host.id)) {
                return outcome(job, &task);
            }
            self.delete_service(service).await?;
        }
    }

    /// Removes a job's service when its output was read; if this fails, the sweep finds it.
    async fn dismiss(&self, id: Option<String>, secrets: Vec<String>, runs: bool) {
        let client = self.client().clone();
        let removing = async move {
            if let Some(id) = id {
                let _ = client.delete_service(&id).await;
            }
            for secret in secrets {
                let _ = client.delete_secret(&secret).await;
            }
        };
        if runs {
            return removing.await;
        }
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            removing.await;
        });
    }

    /// Hands its output on until its task has ended.
    async fn attend(
        &self,
        id: &str,
        job: &Job,
        output: &Sender<OutputFrame>,
    ) -> Result<Task, SchedulerError> {
        let mut watch = Watch::new(self, id, job);
        let started = watch.until(|task| is_over(task) || state_of(task) == Some(TaskState::RUNNING)).await?;
        let task = started.id.clone().unwrap_or_default();
        let (handed, ended) = if is_over(&started) {
            (0, started)
        } else {
            let frames = self.client().task_logs(&task, Some(everything().follow(true).build())).boxed();
            watch.while_following(frames, output).await?
        };
        // Following may have missed the end, and never started for a short job.
        self.hand_rest(&task, handed, output).await;
        Ok(ended)
    }

    /// Hands on what is missing of a task's output, of which so many frames were `handed` on.
    async fn hand_rest(&self, task: &str, mut handed: usize, output: &Sender<OutputFrame>) {
        // A manager that has just begun to lead may not be able to have it yet; of a host that is lost, nobody ever is.
        let rest = async {
            while !self.hand_after(task, &mut handed, output).await {
                tokio::time::sleep(OUTPUT_AGAIN_AFTER).await;
            }
        };
        let _ = tokio::time::timeout(OUTPUT_WITHIN, rest).await;
    }

    /// Hands on what comes after the first `handed` frames; whether that is all there is.
    async fn hand_after(&self, task: &str, handed: &mut usize, output: &Sender<OutputFrame>) -> bool {
        let (mut frames, mut before) =
            (self.client().task_logs(task, Some(everything().build())).boxed(), *handed);
        let mut is_whole = true;
        while let Some(frame) = frames.next().await {
            match frame {
                Ok(frame) if is_printed(&frame) && before > 0 => before -= 1,
                Ok(frame) if is_printed(&frame) => *handed += hand(frame, output).await,
                // A manager says that it cannot have all of it.
                Ok(_) => is_whole = false,
                Err(_) => return false,
            }
        }
        is_whole
    }

    pub(super) async fn sweep(&self) -> Result<usize, SchedulerError> {
        self.discard_stray_secrets().await?;
        let job = (labels::PROCESS, ProcessType::run().to_string());
        let jobs = self.services(&[job]).await?;
        let tasks = self.tasks_of(&jobs).await?;
        let finished = |id: &str| {
            let own = tasks.iter().filter(|task| task.service_id.as_deref() == Some(id));
            own.filter(|task| is_over(task)).map(told).max().unwrap_or(0)
        };
        let is_abandoned = |id: &str, labels: &std::collections::HashMap<String, String>| {
            let deadline = labels::text(labels, labels::DEADLINE).parse().map(Duration::from_secs);
            overdue(deadline.unwrap_or_default(), finished(id), now())
        };
        let abandoned: Vec<_> =
            jobs.into_iter().filter(|owned| is_abandoned(&owned.id, &owned.labels())).collect();
        let swept = abandoned.len();
        self.remove_services(abandoned).await?;
        Ok(swept)
    }
}

fn outcome(job: &Job, task: &Task) -> Result<JobOutcome, SchedulerError> {
    let subject = job.name.to_string();
    match refusal(&subject, task) {
        Some(refusal) => Err(refusal),
        None if ended_by_itself(task) => Ok(JobOutcome { exit_code: exit_code(task) }),
        None => Err(refused("run", &subject, format!("the cluster ended it: {}", last_message(task)))),
    }
}

/// Hands on what the command printed, not what a manager says among it; how many frames that were. A receiver that has gone
/// away does not end the job.
async fn hand(frame: LogOutput, output: &Sender<OutputFrame>) -> usize {
    if !is_printed(&frame) {
        return 0;
    }
    let _ = output.send(unstamped(frame)).await;
    1
}

fn everything() -> LogsOptionsBuilder {
    LogsOptionsBuilder::new().stdout(true).stderr(true).tail("all")
}

/// How output of a task is asked for.
pub(super) fn last_lines(lines: usize) -> LogsOptions {
    LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build()
}
