//! The release that serves: kept as it should run, whatever the engine refuses.

use std::time::Duration;

use deis_model::plan::{Verdict, plan};
use deis_model::{AppId, ContainerStatus, Desired, ProcessType, ReleaseVersion, Workload, intent};
use deis_scheduler::SchedulerError;

use super::Reconciler;
use super::app_state::{AppState, Memory};
use super::image::{wanted, with_surge};
use super::next::Next;
use super::pass::{PassError, is_passing, look_again};
use super::standing::Refusal;

/// How soon to try again what the engine refused.
const REFUSED_LOOK: Duration = Duration::from_secs(5);

/// The release that serves, as it should run.
#[derive(Default)]
pub(super) struct Deployed {
    pub(super) workloads: Vec<Workload>,
    /// The containers of the release that is tried out beside it, promoted or not: their names and numbers, not what they
    /// run.
    canary: Vec<Workload>,
    /// Whether its image is available, so that more of it can start.
    can_start: bool,
    /// Why its image cannot be had.
    refusal: Option<Refusal>,
}

impl Deployed {
    /// Everything that visitors reach, or may.
    pub(super) fn serving(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.iter().chain(&self.canary)
    }
}

impl Reconciler {
    /// The release that serves, with extra containers for a restart.
    ///
    /// When its image cannot be had, what runs of it is kept as it is, and the refusal says why nothing is added.
    pub(super) async fn deployed(
        &self,
        desired: &Desired,
        memory: &mut Memory,
    ) -> Result<Deployed, SchedulerError> {
        let Some(release) = &desired.deployed else { return Ok(Deployed::default()) };
        let (workloads, refusal) = match self.workloads(desired, release, memory).await {
            Ok(workloads) => (workloads, None),
            Err(error) if is_passing(&error) => return Err(error),
            Err(error) => (None, Some(Refusal::of(&error))),
        };
        let can_start = workloads.is_some();
        let workloads = workloads.unwrap_or_else(|| wanted(desired, release, &[], memory));
        let canary = with_surge(intent::canary_workloads(desired), memory);
        Ok(Deployed { workloads, canary, can_start, refusal })
    }

    /// Keeps the deployed release as it should be, and notes how it stands.
    pub(super) async fn converge(
        &self,
        desired: &Desired,
        deployed: &Deployed,
        containers: &[ContainerStatus],
        state: &AppState,
        memory: &mut Memory,
    ) -> Result<Next, PassError> {
        let refusal = self.apply_deployed(deployed, containers, memory).await?;
        let unready = self.unready(&deployed.workloads, containers);
        // Publishers may have reported meanwhile, and who hears of a container as ready must find it in the routes.
        self.publish(desired, state, memory);
        let restarts_more = self.advance_restart(deployed, refusal.as_ref(), containers, memory);
        let verdict = Verdict::of(&unready);
        let next = match &verdict {
            _ if restarts_more => Next::NOW,
            _ if refusal.is_some() => Next::after(REFUSED_LOOK),
            Verdict::Waiting(names) => Next::after(look_again(names, &deployed.workloads)),
            Verdict::Ready | Verdict::Failed(..) => Next::SETTLED,
        };
        let moving = self.move_misplaced(desired, deployed, containers, &verdict, refusal.as_ref(), memory);
        self.sync_identities(&desired.app, deployed, memory).await?;
        state.standing.send_modify(|standing| {
            standing.formation.clone_from(&desired.formation);
            standing.verdict = Some(verdict);
            standing.refusal = refusal;
            standing.restarting = memory.restart.is_under_way();
        });
        Ok(next.or(moving))
    }

    /// Whether the restart asks for another pass.
    fn advance_restart(
        &self,
        deployed: &Deployed,
        refusal: Option<&Refusal>,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> bool {
        match refusal {
            None if deployed.can_start => {
                let serving: Vec<Workload> = deployed.serving().cloned().collect();
                let unready = self.unready(&serving, containers);
                memory.restart.advance(&unready, &serving, self.shared.settings.ready_timeout)
            }
            None => false,
            // What is stopped now might not start again.
            Some(_) => {
                memory.restart.end();
                false
            }
        }
    }

    /// Why the engine refuses what is missing of the deployed release, if it does.
    ///
    /// Fails when that says nothing of the release.
    async fn apply_deployed(
        &self,
        deployed: &Deployed,
        containers: &[ContainerStatus],
        memory: &mut Memory,
    ) -> Result<Option<Refusal>, SchedulerError> {
        if !deployed.can_start {
            return Ok(deployed.refusal.clone());
        }
        let plan = plan(&deployed.workloads, containers);
        let Err(refused) = self.apply(&plan, &memory.restart.replacing).await else { return Ok(None) };
        if is_passing(&refused) {
            return Err(refused);
        }
        if let SchedulerError::NoImage { .. } = refused {
            // It was there and somebody removed it: the next pass has it pulled again.
            memory.images.clear();
        }
        Ok(Some(Refusal::of(&refused)))
    }

    /// Gives every wanted container its identity in the API; those that only stand in have none.
    async fn sync_identities(
        &self,
        app: &AppId,
        deployed: &Deployed,
        memory: &Memory,
    ) -> Result<(), PassError> {
        let numbers = |workload: &Workload| {
            let id = workload.id.clone();
            let count = workload.replicas.saturating_sub(memory.restart.surge(&id));
            (1..=count).map(move |number| (id.release, id.process.clone(), number))
        };
        let wanted: Vec<(ReleaseVersion, ProcessType, u32)> = deployed.serving().flat_map(numbers).collect();
        Ok(self.shared.database.sync_containers(app, &wanted).await?)
    }
}
