//! The scheduler of the fake.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::error::RecvError;

use deis_model::{
    AppId, Command, ContainerName, ContainerState, ContainerStatus, Environment, Job, Workload, WorkloadId,
};

use super::{Behaviour, Memory};
use crate::{
    Attachment, Change, ImageFacts, JobOutcome, OutputFrame, OutputStream, Scheduler, SchedulerError,
};

/// Pretended containers, and what numbers them.
#[derive(Default)]
pub(super) struct Containers {
    pub(super) present: BTreeMap<ContainerName, ContainerStatus>,
    /// The hosts of those that are on hosts of a cluster, by id.
    pub(super) placed: BTreeMap<String, String>,
    made: u64,
}

impl Containers {
    /// Makes what `workload` lacks and removes what it has too much; answers whether anything changed.
    fn apply(&mut self, workload: &Workload, replicas: u32) -> bool {
        let fingerprint = workload.fingerprint();
        let before = self.present.len();
        self.present.retain(|name, container| {
            name.workload != workload.id || (name.number <= replicas && container.fingerprint == fingerprint)
        });
        let mut changed = before != self.present.len();
        for number in 1..=replicas {
            let name = ContainerName { workload: workload.id.clone(), number };
            if !self.present.contains_key(&name) {
                let container = self.make(&name, workload, &fingerprint);
                self.present.insert(name, container);
                changed = true;
            }
        }
        changed
    }

    /// Spreads those of `workload` that have no host yet over `hosts`, by their numbers.
    fn place(&mut self, workload: &WorkloadId, hosts: &[String]) {
        self.placed.retain(|id, _| self.present.values().any(|container| container.id == *id));
        for (name, container) in self.present.iter().filter(|(name, _)| name.workload == *workload) {
            let turn = usize::try_from(name.number - 1).unwrap_or(0).checked_rem(hosts.len());
            if let Some(host) = turn.and_then(|turn| hosts.get(turn)) {
                self.placed.entry(container.id.clone()).or_insert_with(|| host.clone());
            }
        }
    }

    fn make(&mut self, name: &ContainerName, workload: &Workload, fingerprint: &str) -> ContainerStatus {
        self.made += 1;
        let crashes = Behaviour::of(&workload.image) == Behaviour::Crashes;
        let address = workload.port.filter(|_| !crashes).map(|_| fake_address(self.made));
        ContainerStatus {
            name: name.clone(),
            id: format!("{:064x}", self.made),
            state: if crashes { ContainerState::Crashed } else { ContainerState::Up },
            address,
            health_check: workload.health_check.clone(),
            restarts: 0,
            started_at: now(),
            exit_code: crashes.then_some(1),
            out_of_memory: false,
            trouble: None,
            misplaced: false,
            fingerprint: fingerprint.to_owned(),
        }
    }

    fn remove(&mut self, gone: impl Fn(&ContainerName) -> bool) -> bool {
        let before = self.present.len();
        self.present.retain(|name, _| !gone(name));
        before != self.present.len()
    }

    fn observe(&mut self, app: Option<&AppId>) -> Vec<ContainerStatus> {
        let wanted = self.present.values_mut();
        let wanted = wanted.filter(|container| app.is_none_or(|app| container.name.workload.app == *app));
        let seen = wanted.map(|container| {
            if container.state == ContainerState::Crashed {
                container.restarts += 1;
            }
            container.clone()
        });
        seen.collect()
    }
}

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
        let changed = {
            let mut containers = self.containers();
            let changed = containers.apply(workload, replicas);
            containers.place(&workload.id, &hosts);
            changed
        };
        self.tell(changed, &workload.id.app);
        Ok(())
    }

    async fn remove(&self, id: &WorkloadId, _grace: Duration) -> Result<(), SchedulerError> {
        let changed = self.containers().remove(|name| name.workload == *id);
        self.tell(changed, &id.app);
        Ok(())
    }

    async fn remove_container(&self, name: &ContainerName, _grace: Duration) -> Result<(), SchedulerError> {
        let changed = self.containers().remove(|other| other == name);
        self.tell(changed, &name.workload.app);
        Ok(())
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        Ok(self.containers().observe(app))
    }

    /// Prints its command, a word per line.
    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.hosts().carrying(&job.tags)?;
        let words = match (Behaviour::of(&job.image), &job.command) {
            (Behaviour::Missing, _) => return Err(no_image(&job.image)),
            (_, Command::Image) => &Vec::new(),
            (_, Command::Words(words)) => words,
        };
        for word in words {
            let bytes = Bytes::from(format!("{word}\n"));
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
        let changes = self.shared.changes.subscribe();
        let watched = stream::unfold(changes, |mut changes| async move {
            match changes.recv().await {
                Ok(change) => Some((change, changes)),
                Err(RecvError::Lagged(_)) => Some((Change::All, changes)),
                Err(RecvError::Closed) => futures::future::pending().await,
            }
        });
        watched.boxed()
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

fn fake_address(number: u64) -> SocketAddr {
    let port = 20_000 + u16::try_from(number % 40_000).expect("below 40,000");
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}
