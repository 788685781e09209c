//! The scheduler of the fake.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use deis_model::{AppId, Command, ContainerName, ContainerStatus, Environment, Job, Workload, WorkloadId};

use super::{Behaviour, Memory};
use crate::{
    Attachment, Change, ImageFacts, JobOutcome, OutputFrame, OutputStream, Scheduler, SchedulerError,
};

#[async_trait]
impl Scheduler for Memory {
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        match Behaviour::of(image) {
            Behaviour::Missing => Err(no_image(image)),
            _ => Ok(self.shelf().facts(image).unwrap_or_else(|| pretended(image))),
        }
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        if Behaviour::of(&workload.image) == Behaviour::Missing {
            return Err(no_image(&workload.image));
        }
        let (replicas, hosts) = {
            let hosts = self.hosts();
            (hosts.replicas(workload)?, hosts.names_carrying(&workload.tags))
        };
        let changed = self.containers().apply(workload, replicas, &hosts);
        self.tell(changed, &workload.id.app);
        Ok(())
    }

    async fn remove(&self, id: &WorkloadId, _grace: Duration) -> Result<(), SchedulerError> {
        let changed = self.containers().remove(id, |_| true);
        self.tell(changed, &id.app);
        Ok(())
    }

    async fn remove_container(&self, name: &ContainerName, _grace: Duration) -> Result<(), SchedulerError> {
        let changed = self.containers().remove(&name.workload, |found| found.name == *name);
        self.tell(changed, &name.workload.app);
        Ok(())
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        let hosts = self.hosts();
        Ok(self.containers().observe(app, &|tags| hosts.names_carrying(tags)))
    }

    /// Prints its command, a word per line, then its input.
    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        attachment.check_input(job)?;
        self.hosts().carrying(&job.tags)?;
        let words = match (Behaviour::of(&job.image), &job.command) {
            (Behaviour::Missing, _) => return Err(no_image(&job.image)),
            (_, Command::Image) => &Vec::new(),
            (_, Command::Words(words)) => words,
        };
        let words = words.iter().map(|word| Bytes::from(format!("{word}\n")));
        for bytes in words.chain(attachment.input) {
            let frame = OutputFrame { stream: OutputStream::Stdout, timestamp: 0, bytes, is_partial: false };
            let _ = attachment.output.send(frame).await;
        }
        let well = Behaviour::of(&job.image) == Behaviour::Well;
        Ok(JobOutcome { exit_code: if well { 0 } else { 1 } })
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        Ok(0)
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        Ok("memory".to_owned())
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        Change::as_they_come(self.shared.changes.subscribe())
    }
}

impl Memory {
    fn tell(&self, changed: bool, app: &AppId) {
        if changed {
            // Nobody may be watching.
            let _ = self.shared.changes.send(Change::App(app.clone()));
        }
    }
}

pub(super) fn no_image(image: &str) -> SchedulerError {
    SchedulerError::NoImage { image: image.to_owned(), reason: "no such image".to_owned() }
}

/// An image that nobody made: it exists all the same, and exposes a port as app images do.
fn pretended(image: &str) -> ImageFacts {
    ImageFacts {
        id: format!("sha256:{image}"),
        ports: vec![5000],
        size_bytes: 1,
        environment: Environment::default(),
        has_command: true,
    }
}
