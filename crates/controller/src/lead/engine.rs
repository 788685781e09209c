//! The engine as the leader uses it: nothing is changed on it once the lease has passed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;

use deis_model::{AppId, ContainerName, ContainerStatus, Job, Workload, WorkloadId};
use deis_scheduler::{Attachment, Change, ImageFacts, JobOutcome, Scheduler, SchedulerError};

use super::Gate;

/// A scheduler that changes apps only while its gate is open.
pub struct LedScheduler {
    scheduler: Arc<dyn Scheduler>,
    gate: Gate,
}

impl LedScheduler {
    /// Puts `gate` before `scheduler`.
    pub fn new(scheduler: Arc<dyn Scheduler>, gate: Gate) -> Self {
        Self { scheduler, gate }
    }

    fn check(&self) -> Result<(), SchedulerError> {
        let conflict = || SchedulerError::Conflict { subject: "the leader of the controllers".to_owned() };
        self.gate.is_open().then_some(()).ok_or_else(conflict)
    }
}

#[async_trait]
impl Scheduler for LedScheduler {
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        self.scheduler.prepare(image).await
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        self.check()?;
        self.scheduler.apply(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.check()?;
        self.scheduler.remove(id, grace).await
    }

    async fn remove_container(&self, name: &ContainerName, grace: Duration) -> Result<(), SchedulerError> {
        self.check()?;
        self.scheduler.remove_container(name, grace).await
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        self.scheduler.observe(app).await
    }

    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.scheduler.run(job, attachment).await
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        self.check()?;
        self.scheduler.sweep_jobs().await
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        self.scheduler.version().await
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        self.scheduler.watch()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_closed_gate_lets_nothing_be_changed() {
        let engine = deis_scheduler::open("memory://", Default::default()).await.unwrap();
        let led = LedScheduler::new(engine.scheduler, Gate::open_until(Instant::now()));
        let name = ContainerName::parse("blog_v2.web.1").unwrap();
        assert!(led.remove_container(&name, Duration::ZERO).await.is_err());
        assert!(led.remove(&name.workload, Duration::ZERO).await.is_err());
        assert!(led.observe(None).await.unwrap().is_empty(), "looking is free");
    }
}
