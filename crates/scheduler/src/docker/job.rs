//! One-off commands: run to their end with their input and output attached.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Sender;

use deis_model::{Job, ProcessType};

use super::Docker;
use super::failure::present;
use super::inspection::nanoseconds;
use crate::labels;
use crate::{Attachment, JobOutcome, OutputFrame, OutputStream, SchedulerError};

/// How long after its end or deadline a container that nobody waits for is kept.
const SWEEP_AFTER: Duration = Duration::from_secs(60);

/// How long the container of an ended job is kept, for logspout to read: the engine drops output with its container.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(1);

impl Docker {
    pub(super) async fn run_job(
        &self,
        job: &Job,
        attachment: Attachment,
    ) -> Result<JobOutcome, SchedulerError> {
        attachment.check_input(job)?;
        self.check_tags(&job.tags).await?;
        self.ensure_network().await?;
        let name = self.engine_name(&job.name);
        let deadline = now().as_secs().saturating_add(attachment.timeout.as_secs());
        let timeout = attachment.timeout;
        let description = self.job(job, deadline, attachment.input.is_some());
        let created = self.create(&job.name, description).await;
        let id = created.map_err(|error| self.creation_failed(&job.image, &job.name, &error))?;
        let ran = tokio::time::timeout(timeout, self.attend(&id, &name, attachment)).await;
        self.dismiss(id, !matches!(ran, Ok(Ok(_)))).await;
        let late = SchedulerError::TimedOut { subject: name, seconds: timeout.as_secs() };
        ran.unwrap_or(Err(late))
    }

    /// Ends a job's container and removes it when its output was read; if this fails, the sweep finds it.
    async fn dismiss(&self, id: String, runs: bool) {
        if runs {
            let _ = self.client.kill_container(&id, None).await;
        }
        let client = self.client.clone();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let _ = client.remove_container(&id, Some(options)).await;
        });
    }

    async fn attend(
        &self,
        id: &str,
        name: &str,
        attachment: Attachment,
    ) -> Result<JobOutcome, SchedulerError> {
        let options = AttachContainerOptionsBuilder::new().stream(true);
        // Attached before the start, or the first lines would be missed.
        let attached = self.attach(id, name, options.clone().stdout(true).stderr(true)).await?;
        // Apart from the output: the engine gives up both when one of them ends.
        let fed = match attachment.input {
            Some(input) => Some((self.attach(id, name, options.stdin(true)).await?, input)),
            None => None,
        };
        self.start(id).await.map_err(|error| self.failed("start container", name, &error))?;
        tokio::select! {
            ended = self.follow_to_end(id, name, attached, attachment.output) => ended,
            // A job that does not read all of its input ends all the same.
            never = feed(fed) => match never {},
        }
    }

    async fn attach(
        &self,
        id: &str,
        name: &str,
        options: AttachContainerOptionsBuilder,
    ) -> Result<AttachContainerResults, SchedulerError> {
        let attached = self.client.attach_container(id, Some(options.build())).await;
        attached.map_err(|error| self.failed("attach to", name, &error))
    }

    async fn follow_to_end(
        &self,
        id: &str,
        name: &str,
        attached: AttachContainerResults,
        output: Sender<OutputFrame>,
    ) -> Result<JobOutcome, SchedulerError> {
        forward(attached, &output).await.map_err(|error| self.failed("read the output of", name, &error))?;
        let exit_code = self.wait(id).await.map_err(|error| self.failed("wait for", name, &error))?;
        Ok(JobOutcome { exit_code })
    }

    /// The exit status of a container once it does not run.
    pub(super) async fn wait(&self, id: &str) -> Result<i64, Error> {
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let mut answers = std::pin::pin!(self.client.wait_container(id, Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // The client makes an error of every status but 0.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(error),
            None => Err(Error::DockerStreamError {
                error: "the engine ended the wait without an answer".to_owned(),
            }),
        }
    }

    pub(super) async fn sweep(&self) -> Result<usize, SchedulerError> {
        let job = (labels::PROCESS, ProcessType::run().to_string());
        let jobs = self.list_kept(&[job]).await?.into_iter().filter_map(|(_, summary)| summary.id);
        let mut swept = 0;
        for id in jobs.chain(self.builds().await?) {
            if self.is_abandoned(&id).await? {
                self.discard(&id).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// Containers that build: known by label and by name, since images may carry any label.
    pub(super) async fn builds(&self) -> Result<Vec<String>, SchedulerError> {
        let label = format!("{}={}", labels::BUILD, self.options.platform);
        let filters = [("label".to_owned(), vec![label])].into();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.client.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("list", "build containers", &error))?;
        let ours = listed.into_iter().filter(|summary| {
            summary
                .names
                .iter()
                .flatten()
                .any(|name| name.trim_start_matches('/').starts_with(super::build_in::NAME))
        });
        Ok(ours.filter_map(|summary| summary.id).collect())
    }

    async fn is_abandoned(&self, id: &str) -> Result<bool, SchedulerError> {
        let answer = present(self.client.inspect_container(id, None).await);
        let answer = answer.map_err(|error| self.failed("inspect container", id, &error))?;
        let Some(answer) = answer else { return Ok(false) };
        let labels = answer.config.and_then(|config| config.labels).unwrap_or_default();
        let deadline = labels::text(&labels, labels::DEADLINE).parse().map(Duration::from_secs);
        let finished = answer.state.and_then(|state| state.finished_at).map_or(0, |time| nanoseconds(&time));
        Ok(overdue(deadline.unwrap_or_default(), finished, now()))
    }
}

/// `finished` is Unix time in nanoseconds, 0 if it has not.
pub(crate) fn overdue(deadline: Duration, finished: i64, now: Duration) -> bool {
    let finished = Duration::from_nanos(u64::try_from(finished).unwrap_or(0));
    let ended = if finished.is_zero() { deadline } else { finished.min(deadline) };
    now > ended + SWEEP_AFTER
}

/// Hands output on until it ends. A receiver that has gone away does not end the job.
async fn forward(attached: AttachContainerResults, output: &Sender<OutputFrame>) -> Result<(), Error> {
    // Held, not dropped: closing the input would end the connection.
    let AttachContainerResults { output: mut frames, input: _input } = attached;
    while let Some(frame) = frames.next().await {
        let _ = output.send(unstamped(frame?)).await;
    }
    Ok(())
}

/// Hands a job its input, then the end of it. That it has ended, or reads no more, is no failure. Holds the connection
/// until it is dropped.
async fn feed(mut fed: Option<(AttachContainerResults, Bytes)>) -> Infallible {
    if let Some((attached, input)) = &mut fed {
        let _ = attached.input.write_all(input).await;
        let _ = attached.input.shutdown().await;
    }
    std::future::pending().await
}

/// A frame of attached output, which carries no time.
pub(crate) fn unstamped(frame: LogOutput) -> OutputFrame {
    let stream = match frame {
        LogOutput::StdErr { .. } => OutputStream::Stderr,
        _ => OutputStream::Stdout,
    };
    OutputFrame { stream, timestamp: 0, bytes: frame.into_bytes(), is_partial: false }
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(deadline: u64, finished: u64, now: u64, expected: bool) {
        let finished = i64::try_from(finished * 1_000_000_000).expect("small");
        let swept = overdue(Duration::from_secs(deadline), finished, Duration::from_secs(now));
        assert_eq!(swept, expected, "deadline {deadline}, finished {finished}, now {now}");
    }

    #[test]
    fn a_job_is_swept_a_minute_after_its_end_or_deadline() {
        check(1000, 0, 900, false);
        check(1000, 0, 1060, false);
        check(1000, 0, 1061, true);
        check(1000, 100, 160, false);
        check(1000, 100, 161, true);
    }
}
