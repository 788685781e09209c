//! One engine that only pretends, as each of several controllers uses it, with a record of who changed what.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use deis_model::{AppId, ContainerName, ContainerStatus, Job, Workload, WorkloadId};
use deis_scheduler::{Attachment, Change, Engine, ImageFacts, JobOutcome, Scheduler, SchedulerError};
use futures::stream::BoxStream;
use tokio::sync::Semaphore;

/// The engine that all controllers share.
pub(crate) struct SharedEngine {
    pub(crate) engine: Engine,
    /// Of each controller, by number.
    records: Vec<Arc<Record>>,
    pulled: Arc<Semaphore>,
}

/// What one controller did.
#[derive(Default)]
struct Record {
    changes: Mutex<Vec<String>>,
    pulls: Mutex<usize>,
}

/// The engine as one controller sees it. Images of the name `slow` are there once they were pulled.
struct Recorded {
    scheduler: Arc<dyn Scheduler>,
    record: Arc<Record>,
    pulled: Arc<Semaphore>,
}

impl SharedEngine {
    pub(crate) async fn open(controllers: usize) -> Self {
        let engine = deis_scheduler::open("memory://", Default::default()).await.unwrap();
        let records = (0..controllers).map(|_| Arc::default()).collect();
        Self { engine, records, pulled: Arc::new(Semaphore::new(0)) }
    }

    /// For this controller.
    pub(crate) fn of(&self, controller: usize) -> Engine {
        let scheduler = Arc::new(Recorded {
            scheduler: Arc::clone(&self.engine.scheduler),
            record: Arc::clone(&self.records[controller]),
            pulled: Arc::clone(&self.pulled),
        });
        Engine { scheduler, ..self.engine.clone() }
    }

    /// From now on images of the name `slow` are there.
    pub(crate) fn has_pulled(&self) {
        self.pulled.close();
    }

    /// How often a controller asked for an image of the name `slow`.
    pub(crate) fn pulls(&self, controller: usize) -> usize {
        *self.records[controller].pulls.lock().unwrap()
    }

    /// What a controller changed.
    pub(crate) fn changes(&self, controller: usize) -> Vec<String> {
        self.records[controller].changes.lock().unwrap().clone()
    }

    /// How often a container was removed, by whomever.
    pub(crate) fn removals(&self, container: &str) -> usize {
        let removal = format!("remove {container}");
        let all = (0..self.records.len()).flat_map(|controller| self.changes(controller));
        all.filter(|change| *change == removal).count()
    }
}

impl Recorded {
    fn note(&self, change: String) {
        self.record.changes.lock().unwrap().push(change);
    }
}

#[async_trait]
impl Scheduler for Recorded {
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        if image == "slow" {
            *self.record.pulls.lock().unwrap() += 1;
            assert!(self.pulled.acquire().await.is_err(), "it is only ever closed");
        }
        self.scheduler.prepare(image).await
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        self.note(format!("apply {}", workload.id));
        self.scheduler.apply(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.note(format!("remove {id}"));
        self.scheduler.remove(id, grace).await
    }

    async fn remove_container(&self, name: &ContainerName, grace: Duration) -> Result<(), SchedulerError> {
        self.note(format!("remove {name}"));
        self.scheduler.remove_container(name, grace).await
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        self.scheduler.observe(app).await
    }

    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.scheduler.run(job, attachment).await
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        self.scheduler.sweep_jobs().await
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        self.scheduler.version().await
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        self.scheduler.watch()
    }
}
