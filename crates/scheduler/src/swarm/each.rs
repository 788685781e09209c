//! A workload with a container on every host, and changing between that and a number on any hosts.

use std::time::Duration;

use bollard::models::TaskState;
use tokio::time::Instant;

use deis_model::{Spread, Workload};

use super::Swarm;
use super::apply::ASK_AGAIN_AFTER;
use super::failure::refused;
use super::history::{fingerprint, state_of};
use super::secret::used_by;
use super::service::{Owned, Runs};
use crate::{SchedulerError, labels};

/// How long a replaced container may take to run before the next is replaced all the same.
const REPLACED_WITHIN: Duration = Duration::from_secs(60);

impl Swarm {
    /// A container on every host with the labels.
    pub(super) async fn apply_each(&self, workload: &Workload) -> Result<(), SchedulerError> {
        let hosts = self.fitting_nodes(&workload.tags).await?.len();
        let present = self.services(&labels::of_workload(&workload.id)).await?;
        let (each, others): (Vec<_>, Vec<_>) =
            present.into_iter().partition(|owned| matches!(owned.runs, Runs::Each(_)));
        // From the time when it was so many on any hosts: they go first where both cannot be.
        let (after, before) = if overlaps(workload) { (others, Vec::new()) } else { (Vec::new(), others) };
        self.remove_services(before).await?;
        self.make_each(workload, each.first()).await?;
        if after.is_empty() {
            return Ok(());
        }
        self.await_overlap(workload, hosts).await?;
        self.remove_services(after).await
    }

    async fn make_each(&self, workload: &Workload, present: Option<&Owned>) -> Result<(), SchedulerError> {
        let secrets = self.make_ready(workload).await?;
        let spec = self.each(workload, &secrets);
        let runs = Runs::Each(workload.id.clone());
        match present {
            None => {
                self.create_service(&runs, &workload.image, spec).await?;
                Ok(())
            }
            Some(owned) if is_as_described(owned, workload) => Ok(()),
            Some(owned) => {
                self.update_service(owned, spec).await?;
                self.discard_secrets(&used_by(owned).into_iter().collect()).await
            }
        }
    }

    /// Waits until the services of a workload that was spread otherwise run, so that what ran may go: only where both
    /// can be on a host at a time.
    pub(super) async fn await_overlap(
        &self,
        workload: &Workload,
        containers: usize,
    ) -> Result<(), SchedulerError> {
        if !overlaps(workload) {
            return Ok(());
        }
        let wanted =
            |owned: &&Owned| matches!(owned.runs, Runs::Each(_)) == (workload.spread == Spread::Hosts);
        let services = self.services(&labels::of_workload(&workload.id)).await?;
        for owned in services.iter().filter(wanted) {
            if !self.await_running(&owned.id, &workload.fingerprint(), containers).await? {
                let subject = owned.runs.to_string();
                return Err(refused("replace", &subject, "what is to replace it does not run; it stays"));
            }
        }
        Ok(())
    }

    /// Waits until so many containers of the service run as described, or for long enough. Whether they do.
    pub(super) async fn await_running(
        &self,
        id: &str,
        wanted: &str,
        containers: usize,
    ) -> Result<bool, SchedulerError> {
        let deadline = Instant::now() + REPLACED_WITHIN;
        while Instant::now() < deadline {
            let tasks = self.tasks([("service".to_owned(), vec![id.to_owned()])].into()).await?;
            let new = tasks.iter().flatten().filter(|task| fingerprint(task) == wanted);
            let running = new.filter(|task| state_of(task) == Some(TaskState::RUNNING));
            if running.count() >= containers || tasks.is_none() {
                return Ok(true);
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Ok(false)
    }
}

/// Whether two of its containers can be on a host at a time.
fn overlaps(workload: &Workload) -> bool {
    workload.host.as_ref().is_some_and(|host| host.overlaps)
}

/// A host that a container was taken off is marked by a constraint.
fn is_as_described(owned: &Owned, workload: &Workload) -> bool {
    owned.fingerprint() == workload.fingerprint() && super::spread::avoided(owned).is_empty()
}
