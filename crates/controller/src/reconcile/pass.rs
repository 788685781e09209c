//! One pass over one app.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deis_model::plan::{Plan, Unready, Verdict, plan, unready};
use deis_model::{AppId, ContainerName, ContainerStatus, Desired, Workload, WorkloadId, intent};
use deis_scheduler::SchedulerError;

use super::Reconciler;
use super::app_state::{AppState, Memory};
use super::calm::Calm;
use super::next::Next;
use crate::routes::Source;

/// How soon to look again at containers that count as ready by staying up.
const STAY_UP_LOOK: Duration = Duration::from_millis(250);
/// How soon to look again at what should wake us by itself.
pub(super) const SLOW_LOOK: Duration = Duration::from_secs(1);

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassError {
    /// Desired state is out of reach.
    #[error(transparent)]
    Database(#[from] deis_database::DatabaseError),
    /// The engine is out of reach or refuses.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
}

impl Reconciler {
    /// Looks at `app` once and does what can be done now.
    pub(super) async fn pass(&self, app: &AppId, state: &AppState) -> Result<Next, PassError> {
        let mut memory = state.memory.lock().await;
        let number = state.begin_pass();
        let desired = self.shared.database.desired(app).await?;
        let Some(mut desired) = desired else {
            return self.tear_down(app, number, state, &mut memory).await;
        };
        let hosts = intent::hosts(&desired, &self.shared.settings.domain);
        desired.certificates = self.shared.certificates.of(app, &hosts).await?;
        memory.follow(&desired);
        self.publish(&desired, state, &memory);
        state.note_routed(number, false);
        let containers = self.observe(app, state).await?;
        let calm = Calm::of(&desired, &containers);
        // Only what this pass published the routes without may be retired by it.
        let replacing = memory.restart.replacing.clone();
        let deployed = self.deployed(&desired, &mut memory).await?;
        let next = self.converge(&desired, &deployed, &containers, state, &mut memory).await?;
        let beside = self.advance_beside(&desired, &containers, &mut memory).await?;
        let wanted: Vec<Workload> = deployed.workloads.into_iter().chain(beside.workloads).collect();
        let unwanted = unwanted(&plan(&wanted, &containers), &replacing);
        let retiring = self.retire(app, unwanted, state, &mut memory);
        let next = next.or(beside.next).or(retiring);
        let is_well = state.standing.borrow().verdict == Some(Verdict::Ready);
        let is_misplaced = containers.iter().any(|container| container.misplaced);
        let is_calm = next.is_settled() && memory.restart.is_at_rest() && is_well && !is_misplaced;
        state.note_calm(is_calm.then_some(calm));
        Ok(next)
    }

    /// The app's containers but those being removed.
    async fn observe(&self, app: &AppId, state: &AppState) -> Result<Vec<ContainerStatus>, SchedulerError> {
        let mut containers = match state.take_seen() {
            Some(seen) => seen,
            None => self.shared.scheduler.observe(Some(app)).await?,
        };
        self.shared.routing.reports.note_current(app, &containers);
        let removing = state.removing_now();
        containers.retain(|container| !removing.contains(&container.name));
        Ok(containers)
    }

    /// Writes the app's route from what publishers report. The generation from which it is in force.
    pub(super) fn publish(&self, desired: &Desired, state: &AppState, memory: &Memory) -> u64 {
        let withheld = &state.removing_now() | &memory.restart.replacing;
        let surge = |workload: &WorkloadId| memory.restart.surge(workload);
        let source = Source::new(desired, &self.shared.settings.domain, surge, withheld);
        self.shared.routing.publish(source)
    }

    /// Applies what is missing, but where containers of that name are still being removed: their end wakes the app.
    pub(super) async fn apply(
        &self,
        plan: &Plan,
        replacing: &BTreeSet<ContainerName>,
    ) -> Result<(), SchedulerError> {
        let is_leaving = |workload: &Workload| {
            let removing = self.state(&workload.id.app).removing_now();
            let mut leaving = replacing.iter().chain(&removing);
            leaving.any(|name| name.workload == workload.id && name.number <= workload.replicas)
        };
        for workload in plan.apply.iter().filter(|workload| !is_leaving(workload)) {
            self.shared.scheduler.apply(workload).await?;
        }
        Ok(())
    }

    pub(super) fn unready(&self, wanted: &[Workload], containers: &[ContainerStatus]) -> Vec<Unready> {
        unready(wanted, containers, unix_nanoseconds(), |container| {
            self.shared.routing.reports.is_ready(container)
        })
    }

    /// Takes an app that is gone out of the routes, then removes its containers.
    async fn tear_down(
        &self,
        app: &AppId,
        number: u64,
        state: &AppState,
        memory: &mut Memory,
    ) -> Result<Next, PassError> {
        self.shared.routing.withdraw(app);
        state.note_routed(number, true);
        let containers = self.observe(app, state).await?;
        let names = containers.into_iter().map(|container| container.name).collect();
        Ok(self.retire(app, names, state, memory))
    }
}

/// Whether the engine's state is the cause, or that another controller leads: the same works later, or elsewhere.
pub(super) fn is_passing(error: &SchedulerError) -> bool {
    matches!(error, SchedulerError::Away { .. } | SchedulerError::Conflict { .. })
}

fn unwanted(plan: &Plan, replacing: &BTreeSet<ContainerName>) -> BTreeSet<ContainerName> {
    plan.retire.iter().chain(replacing).cloned().collect()
}

/// Publishers tell at once when a container with a port is ready; of the others, time does.
pub(super) fn look_again(names: &[ContainerName], workloads: &[Workload]) -> Duration {
    let is_named = |workload: &Workload| names.iter().any(|name| name.workload == workload.id);
    let has_portless = workloads.iter().any(|workload| workload.port.is_none() && is_named(workload));
    if has_portless { STAY_UP_LOOK } else { SLOW_LOOK }
}

/// Now, as engines count.
pub(super) fn unix_nanoseconds() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}
