//! The deploy side of the API: writes what is wanted and has the leader say when it is so, whoever leads.
//!
//! A caller gets the same answers from every controller. When the leader changes, the next one is asked: what is wanted
//! is in the database, and a restart names the incarnations that are to go.

mod ask;
mod job;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use deis_api::internal::{DeployAnswer, DeployGoal, Incarnation};
use deis_database::{Database, DatabaseError};
use deis_model::{
    AppId, ContainerName, ContainerState, ContainerStatus, Formation, ProcessType, ReleaseState,
    ReleaseVersion, intent,
};
use deis_scheduler::{Scheduler, SchedulerError};

use crate::app::{DeployError, Deploys};
use crate::lead::{Dial, Seats};
use crate::reconcile::{BATCHES, DeploySettings, ROUTERS_TIMEOUT};
use ask::{LOOK, Trouble, verdict};

/// How long the leader is asked to wait for a release before it is asked again.
const HOLD: Duration = Duration::from_secs(20);
/// How often is looked whether containers that are to go are gone, or a release is pending.
const POLL: Duration = Duration::from_millis(100);
/// How long the removal of an app's containers is waited for.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the engine may take to tell that containers are up that their publishers reported as ready: engines of
/// several hosts tell each other a moment later.
const TELL_TIMEOUT: Duration = Duration::from_secs(10);

/// Deploys through whoever leads.
pub struct Deployer {
    /// Desired state, written whoever leads.
    pub database: Database,
    /// Looked at, and runs one-off commands.
    pub scheduler: Arc<dyn Scheduler>,
    /// How deploys behave.
    pub settings: DeploySettings,
    /// Who leads.
    pub seats: Seats,
    /// Calls other controllers.
    pub dial: Dial,
}

#[async_trait]
impl Deploys for Deployer {
    /// The leader hears of what was written from the database, too, a moment later.
    fn wake(&self, app: &AppId) {
        if let Some(term) = self.seats.borrow().term() {
            term.wake(app);
        }
    }

    async fn await_release(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DeployError> {
        let (mut trouble, mut deployed) = (Trouble::default(), None::<Instant>);
        loop {
            let asked = Instant::now();
            let release = match self.database.release(app, version).await {
                Ok(release) => release.ok_or(DeployError::Gone)?,
                Err(DatabaseError::Away { .. }) => {
                    let promise = format!("{version} is deployed as soon as it does");
                    trouble.lasts(asked, || format!("the platform's database does not answer; {promise}"))?;
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Err(error) => return Err(DeployError::from_database(error)),
            };
            match release.state {
                ReleaseState::Failed | ReleaseState::Ended => {
                    return Err(DeployError::Failed(release.failure.unwrap_or_default()));
                }
                // Routers are waited for within reason; nothing is lost when they hear of it later.
                ReleaseState::Deployed | ReleaseState::Canary => {
                    if deployed.get_or_insert_with(Instant::now).elapsed() >= ROUTERS_TIMEOUT {
                        return Ok(());
                    }
                }
                ReleaseState::Pending | ReleaseState::Starting | ReleaseState::Promoted => {}
            }
            match self.ask(app, &DeployGoal::Release(version), HOLD).await {
                Ok(DeployAnswer::Waiting(_)) => trouble = Trouble::default(),
                Ok(answer) => return verdict(answer),
                Err(reason) => {
                    trouble
                        .lasts(asked, || format!("{reason}; {version} is deployed as soon as one does"))?;
                    self.await_leader().await;
                }
            }
        }
    }

    async fn scale(&self, app: &AppId, requested: Formation) -> Result<(), DeployError> {
        let before = self.database.scale(app, &requested).await.map_err(DeployError::from_database)?;
        self.wake(app);
        let goal = DeployGoal::Formation(requested.clone());
        let outcome = self.reach(app, &goal, self.settings.ready_timeout).await;
        match outcome {
            Err(DeployError::Failed(_)) => self.scale_back(app, &requested, before).await?,
            Err(_) => {}
            Ok(()) => {
                let mut names = self.wanted(app, None, None).await?;
                names.retain(|name| requested.contains_key(&name.workload.process));
                self.await_told_up(app, &names).await;
            }
        }
        outcome
    }

    async fn restart(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerStatus>, DeployError> {
        let names = self.wanted(app, process, number).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let goal = DeployGoal::Restart(self.incarnations(app, &names).await?);
        self.reach(app, &goal, self.restart_timeout()).await?;
        Ok(self.await_told_up(app, &names).await)
    }

    async fn containers(&self, app: &AppId) -> Option<Vec<ContainerStatus>> {
        self.scheduler.observe(Some(app)).await.ok()
    }

    async fn remove_app(&self, app: &AppId) {
        self.wake(app);
        let end = Instant::now() + REMOVAL_TIMEOUT;
        while Instant::now() < end {
            match self.scheduler.observe(Some(app)).await {
                Ok(found) if found.is_empty() => return,
                // They go when it is back; nobody needs to wait for that.
                Err(SchedulerError::Away { .. }) => return,
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    async fn run(
        &self,
        app: &AppId,
        command: &str,
        input: Option<Bytes>,
    ) -> Result<(i64, String), DeployError> {
        self.run_job(app, command, input).await
    }

    async fn idle(&self, app: &AppId, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        loop {
            let desired = self.database.desired(app).await;
            if desired.is_ok_and(|desired| desired.is_none_or(|desired| desired.under_way().is_none())) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Deployer {
    /// Has the numbers `before` again, but for types that somebody else has scaled meanwhile.
    async fn scale_back(
        &self,
        app: &AppId,
        requested: &Formation,
        mut before: Formation,
    ) -> Result<(), DeployError> {
        let desired = self.database.desired(app).await.map_err(DeployError::from_database)?;
        let held = desired.ok_or(DeployError::Gone)?.formation;
        before.retain(|process, _| held.get(process) == requested.get(process));
        self.database.scale(app, &before).await.map_err(DeployError::from_database)?;
        self.wake(app);
        Ok(())
    }

    /// Every wave of a restart may take its time, and so may the extra containers before the first.
    fn restart_timeout(&self) -> Duration {
        let settings = &self.settings;
        (settings.ready_timeout + settings.drain_timeout + settings.stop_grace) * (BATCHES + 1)
    }

    /// The containers `names`, once the engine tells that they are up, as whoever asked for them looks next.
    async fn await_told_up(&self, app: &AppId, names: &[ContainerName]) -> Vec<ContainerStatus> {
        let end = Instant::now() + TELL_TIMEOUT;
        loop {
            let mut found = self.containers(app).await.unwrap_or_default();
            found.retain(|container| names.contains(&container.name));
            let up = found.iter().filter(|container| container.state == ContainerState::Up).count();
            if up == names.len() || Instant::now() >= end {
                return found;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn wanted(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerName>, DeployError> {
        let desired = self.database.desired(app).await.map_err(DeployError::from_database)?;
        let desired = desired.ok_or(DeployError::Gone)?;
        let deployed = desired.deployed.iter();
        let mut workloads: Vec<_> =
            deployed.flat_map(|release| intent::workloads(&desired, release, &[])).collect();
        workloads.extend(intent::canary_workloads(&desired));
        let named =
            workloads.iter().filter(|workload| process.is_none_or(|process| *process == workload.id.process));
        let all = named.flat_map(|workload| {
            (1..=workload.replicas).map(|number| ContainerName { workload: workload.id.clone(), number })
        });
        Ok(all.filter(|name| number.is_none_or(|number| number == name.number)).collect())
    }

    /// Those of `names` that are there; the others are made in any case.
    async fn incarnations(
        &self,
        app: &AppId,
        names: &[ContainerName],
    ) -> Result<Vec<Incarnation>, DeployError> {
        let containers = self.scheduler.observe(Some(app)).await.map_err(DeployError::from_scheduler)?;
        let ids: BTreeMap<_, _> = containers.into_iter().map(|found| (found.name, found.id)).collect();
        let present = names
            .iter()
            .filter_map(|name| Some(Incarnation { container: name.clone(), id: ids.get(name)?.clone() }));
        Ok(present.collect())
    }
}
