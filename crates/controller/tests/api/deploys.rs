//! A deploy side that settles releases at once and says that every container wanted is up.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use deis_controller::app::{DeployError, Deploys};
use deis_database::Database;
use deis_model::{
    AppId, ContainerName, ContainerState, ContainerStatus, Formation, ProcessType, ReleaseState,
    ReleaseVersion, WorkloadId,
};

pub(crate) struct FakeDeploys {
    database: Database,
    /// Why everything fails, while it does.
    failure: Mutex<Option<String>>,
    /// Whether releases stay pending.
    held: AtomicBool,
    /// The releases that were waited for.
    awaited: Mutex<Vec<ReleaseVersion>>,
}

impl FakeDeploys {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, failure: Mutex::default(), held: AtomicBool::new(false), awaited: Mutex::default() }
    }

    /// From now on everything fails with this reason; `None` ends it.
    pub(crate) fn fail(&self, reason: Option<&str>) {
        *self.failure.lock().unwrap() = reason.map(str::to_owned);
    }

    /// From now on releases stay pending, or no longer.
    pub(crate) fn hold(&self, held: bool) {
        self.held.store(held, Ordering::SeqCst);
    }

    /// The releases that were waited for.
    pub(crate) fn awaited(&self) -> Vec<ReleaseVersion> {
        self.awaited.lock().unwrap().clone()
    }

    fn check(&self) -> Result<(), DeployError> {
        self.failure.lock().unwrap().clone().map_or(Ok(()), |reason| Err(DeployError::Failed(reason)))
    }

    async fn settle(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DeployError> {
        let settled = match self.check() {
            Err(error) => self.database.mark_failed(app, version, &error.to_string()).await,
            Ok(()) => match self.database.mark_tried(app, version).await {
                Ok(_) => self.database.mark_deployed(app, version).await,
                failed => failed,
            },
        };
        settled.map_err(DeployError::from_database)?;
        self.sync(app).await
    }

    async fn sync(&self, app: &AppId) -> Result<(), DeployError> {
        let desired =
            self.database.desired(app).await.map_err(DeployError::from_database)?.ok_or(DeployError::Gone)?;
        let version = desired.deployed.as_ref().map_or(ReleaseVersion::FIRST, |release| release.version);
        let runs = desired.deployed.is_some_and(|release| release.build.is_some());
        let formation = desired.formation.iter().filter(|_| runs);
        let wanted: Vec<_> = formation
            .flat_map(|(process, n)| (1..=*n).map(move |number| (version, process.clone(), number)))
            .collect();
        self.database.sync_containers(app, &wanted).await.map_err(DeployError::from_database)
    }
}

#[async_trait]
impl Deploys for FakeDeploys {
    fn wake(&self, _: &AppId) {}

    async fn await_release(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DeployError> {
        self.awaited.lock().unwrap().push(version);
        while self.held.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.settle(app, version).await?;
        let release = self.database.release(app, version).await.map_err(DeployError::from_database)?;
        match release.ok_or(DeployError::Gone)? {
            release if matches!(release.state, ReleaseState::Failed | ReleaseState::Ended) => {
                Err(DeployError::Failed(release.failure.unwrap_or_default()))
            }
            _ => Ok(()),
        }
    }

    async fn scale(&self, app: &AppId, requested: Formation) -> Result<(), DeployError> {
        self.check()?;
        self.database.scale(app, &requested).await.map_err(DeployError::from_database)?;
        self.sync(app).await
    }

    async fn restart(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerStatus>, DeployError> {
        self.check()?;
        let matches = |status: &ContainerStatus| {
            process.is_none_or(|process| *process == status.name.workload.process)
                && number.is_none_or(|number| number == status.name.number)
        };
        Ok(self.containers(app).await.unwrap_or_default().into_iter().filter(matches).collect())
    }

    async fn containers(&self, app: &AppId) -> Option<Vec<ContainerStatus>> {
        let containers = self.database.containers(app).await.unwrap();
        let running = containers.into_iter().filter(|container| container.process != ProcessType::run());
        let statuses = running.map(|container| {
            let workload =
                WorkloadId { app: app.clone(), release: container.version, process: container.process };
            up(ContainerName { workload, number: container.num })
        });
        Some(statuses.collect())
    }

    async fn remove_app(&self, _: &AppId) {}

    async fn run(
        &self,
        app: &AppId,
        command: &str,
        input: Option<Bytes>,
    ) -> Result<(i64, String), DeployError> {
        self.check()?;
        let current = self.database.current(app).await.map_err(DeployError::from_database)?;
        let version = current.ok_or(DeployError::NothingDeployed)?.version;
        let number = self.database.next_job(app, version).await.map_err(DeployError::from_database)?;
        let read = input.map_or_else(String::new, |input| format!(" < {} bytes", input.len()));
        Ok((i64::from(command == "false"), format!("run.{number}: {command}{read}\n")))
    }

    async fn idle(&self, app: &AppId, timeout: Duration) -> bool {
        let idle = async {
            while self
                .database
                .desired(app)
                .await
                .unwrap()
                .is_some_and(|desired| desired.under_way().is_some())
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(timeout, idle).await.is_ok()
    }
}

fn up(name: ContainerName) -> ContainerStatus {
    ContainerStatus {
        id: name.to_string(),
        name,
        state: ContainerState::Up,
        address: None,
        health_check: None,
        restarts: 0,
        started_at: 0,
        exit_code: None,
        out_of_memory: false,
        trouble: None,
        misplaced: false,
        fingerprint: String::new(),
    }
}
