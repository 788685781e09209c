//! What the API asks of the reconciler.

use std::time::Duration;

use async_trait::async_trait;
use deis_model::plan::Verdict;
use deis_model::{
    AppId, ContainerName, ContainerStatus, Formation, ProcessType, ReleaseState, ReleaseVersion, intent,
};
use deis_scheduler::SchedulerError;

use crate::app::{DeployError, Deploys};

use super::Reconciler;
use super::app_state::{AppState, Standing};
use super::patience::Patience;
use super::restart::BATCHES;

/// How long the API waits for routers to acknowledge what is already in force for new ones.
const ROUTERS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the removal of an app's containers is waited for.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(120);

#[async_trait]
impl Deploys for Reconciler {
    fn wake(&self, app: &AppId) {
        self.wake_app(app);
    }

    async fn await_release(&self, app: &AppId, version: ReleaseVersion) -> Result<(), DeployError> {
        let state = self.state(app);
        let mut standing = state.standing.subscribe();
        self.wake_app(app);
        loop {
            standing.mark_unchanged();
            let release =
                self.shared.database.release(app, version).await.map_err(DeployError::from_database)?;
            let release = release.ok_or(DeployError::Gone)?;
            match release.state {
                ReleaseState::Pending => {
                    if let Some(reason) = standing.borrow().lasting_trouble() {
                        let promise = format!("{version} is deployed as soon as it does");
                        return Err(DeployError::Failed(format!("{reason}; {promise}")));
                    }
                }
                ReleaseState::Failed => return Err(DeployError::Failed(release.failure.unwrap_or_default())),
                ReleaseState::Deployed => {
                    self.await_routed(app, &state).await;
                    return Ok(());
                }
            }
            let _ = tokio::time::timeout(Duration::from_secs(1), standing.changed()).await;
        }
    }

    async fn scale(&self, app: &AppId, requested: Formation) -> Result<(), DeployError> {
        let database = &self.shared.database;
        let before = database.scale(app, &requested).await.map_err(DeployError::from_database)?;
        let outcome = self.await_formation(app, &requested).await;
        if let Err(DeployError::Failed(_)) = outcome {
            self.scale_back(app, &requested, before).await?;
        }
        outcome
    }

    async fn restart(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerStatus>, DeployError> {
        let targets = self.restart_targets(app, process, number).await?;
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        let state = self.state(app);
        state.memory.lock().await.restart.queue(&targets);
        state.standing.send_modify(|standing| standing.restarting = true);
        self.wake_app(app);
        let is_over = |standing: &Standing| (!standing.restarting).then(|| settled(standing)).flatten();
        self.await_standing(app, self.restart_timeout(), is_over).await?;
        let containers = self.containers(app).await.unwrap_or_default();
        Ok(containers.into_iter().filter(|container| targets.contains(&container.name)).collect())
    }

    async fn containers(&self, app: &AppId) -> Option<Vec<ContainerStatus>> {
        self.shared.scheduler.observe(Some(app)).await.ok()
    }

    async fn remove_app(&self, app: &AppId) {
        self.wake_app(app);
        let patience = Patience::new(REMOVAL_TIMEOUT);
        loop {
            match self.shared.scheduler.observe(Some(app)).await {
                Ok(found) if found.is_empty() => return,
                // They go when it is back; nobody needs to wait for that.
                Err(SchedulerError::Away { .. }) => return,
                _ if patience.lasts().await => {}
                _ => return,
            }
        }
    }

    async fn run(&self, app: &AppId, command: &str) -> Result<(i64, String), DeployError> {
        self.run_job(app, command).await
    }

    async fn idle(&self, app: &AppId, timeout: Duration) -> bool {
        let patience = Patience::new(timeout);
        loop {
            let desired = self.shared.database.desired(app).await;
            if desired.is_ok_and(|desired| desired.is_none_or(|desired| desired.pending.is_none())) {
                return true;
            }
            if !patience.lasts().await {
                return false;
            }
        }
    }
}

impl Reconciler {
    /// Waits until a pass that begins from now on has written the app's route and every router serves by it.
    async fn await_routed(&self, app: &AppId, state: &AppState) {
        let begun = state.standing.borrow().begun;
        self.wake_app(app);
        let mut standing = state.standing.subscribe();
        let routed = standing.wait_for(|standing| standing.routed > begun);
        let _ = tokio::time::timeout(ROUTERS_TIMEOUT, routed).await;
        self.shared.book.await_applied(self.shared.book.generation(), ROUTERS_TIMEOUT).await;
    }

    /// Waits until `requested` runs, or will not.
    async fn await_formation(&self, app: &AppId, requested: &Formation) -> Result<(), DeployError> {
        let begun = self.state(app).standing.borrow().begun;
        self.wake_app(app);
        let timeout = self.shared.settings.ready_timeout;
        self.await_standing(app, timeout, |standing| {
            let holds = |(process, replicas)| standing.formation.get(process) == Some(replicas);
            let is_newer = standing.routed > begun && requested.iter().all(holds);
            is_newer.then(|| settled(standing)).flatten()
        })
        .await?;
        self.shared.book.await_applied(self.shared.book.generation(), ROUTERS_TIMEOUT).await;
        Ok(())
    }

    /// Has the numbers `before` again, but for types that somebody else has scaled meanwhile.
    async fn scale_back(
        &self,
        app: &AppId,
        requested: &Formation,
        mut before: Formation,
    ) -> Result<(), DeployError> {
        let database = &self.shared.database;
        let desired = database.desired(app).await.map_err(DeployError::from_database)?;
        let held = desired.ok_or(DeployError::Gone)?.formation;
        before.retain(|process, _| held.get(process) == requested.get(process));
        database.scale(app, &before).await.map_err(DeployError::from_database)?;
        self.wake_app(app);
        Ok(())
    }

    /// Every wave of a restart may take its time, and so may the extra containers before the first.
    fn restart_timeout(&self) -> Duration {
        let settings = &self.shared.settings;
        (settings.ready_timeout + settings.drain_timeout + settings.stop_grace) * (BATCHES + 1)
    }

    /// Waits until `judge` has an opinion, at most for `timeout`.
    async fn await_standing(
        &self,
        app: &AppId,
        timeout: Duration,
        judge: impl Fn(&Standing) -> Option<Result<(), DeployError>>,
    ) -> Result<(), DeployError> {
        let state = self.state(app);
        let mut receiver = state.standing.subscribe();
        let opinion = async {
            loop {
                let opinion = {
                    let standing = receiver.borrow_and_update();
                    let refused = |reason: &str| Err(DeployError::Failed(reason.to_owned()));
                    let gone = standing.is_gone.then_some(Err(DeployError::Gone));
                    gone.or_else(|| judge(&standing)).or_else(|| standing.lasting_trouble().map(refused))
                };
                match opinion {
                    Some(opinion) => return opinion,
                    None => drop(receiver.changed().await),
                }
            }
        };
        match tokio::time::timeout(timeout, opinion).await {
            Ok(opinion) => opinion,
            Err(_) => Err(DeployError::Failed(self.why_waiting(app).await)),
        }
    }

    async fn why_waiting(&self, app: &AppId) -> String {
        let verdict = self.state(app).standing.borrow().verdict.clone();
        let Some(Verdict::Waiting(names)) = verdict else {
            return format!("{app} was not brought to what was asked for in time; see deis logs");
        };
        self.explain_delay(&names, &[], &self.containers(app).await.unwrap_or_default()).await
    }

    async fn restart_targets(
        &self,
        app: &AppId,
        process: Option<&ProcessType>,
        number: Option<u32>,
    ) -> Result<Vec<ContainerName>, DeployError> {
        let database = &self.shared.database;
        let desired =
            database.desired(app).await.map_err(DeployError::from_database)?.ok_or(DeployError::Gone)?;
        let Some(release) = &desired.deployed else { return Ok(Vec::new()) };
        let workloads = intent::workloads(&desired, release, &[]);
        let named =
            workloads.iter().filter(|workload| process.is_none_or(|process| *process == workload.id.process));
        let all = named.flat_map(|workload| {
            (1..=workload.replicas).map(|number| ContainerName { workload: workload.id.clone(), number })
        });
        Ok(all.filter(|name| number.is_none_or(|number| number == name.number)).collect())
    }
}

/// Whether an app has come to rest: well, or with containers that crash (which is the app's own affair), or refused.
fn settled(standing: &Standing) -> Option<Result<(), DeployError>> {
    if let Some(refusal) = &standing.refusal {
        return Some(Err(DeployError::Failed(refusal.clone())));
    }
    match &standing.verdict {
        Some(Verdict::Ready | Verdict::Failed(..)) => Some(Ok(())),
        _ => None,
    }
}
