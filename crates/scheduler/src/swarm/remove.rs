//! Removing services, and waiting for what they ran.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::Task;
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use deis_model::{ContainerName, WorkloadId};

use super::Swarm;
use super::apply::{ASK_AGAIN_AFTER, PARALLEL};
use super::history::is_over;
use super::secret::used_by;
use super::service::{Owned, Runs};
use super::spread::{avoided, kept_off};
use crate::{HostState, SchedulerError, labels};

/// How long a host may take to tell of an end, besides the container's own time.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

impl Swarm {
    pub(super) async fn remove_workload(&self, id: &WorkloadId) -> Result<(), SchedulerError> {
        let services = self.services(&labels::of_workload(id)).await?;
        self.remove_services(services).await
    }

    pub(super) async fn remove_named(&self, name: &ContainerName) -> Result<(), SchedulerError> {
        let services = self.services(&labels::of_workload(&name.workload)).await?;
        let (ones, others): (Vec<_>, Vec<_>) =
            services.into_iter().partition(|owned| matches!(&owned.runs, Runs::One(found) if found == name));
        self.remove_services(ones).await?;
        for each in others.iter().filter(|owned| matches!(owned.runs, Runs::Each(_))) {
            self.take_off(each, name.number).await?;
        }
        Ok(())
    }

    /// Ends the one container of `each` on the host whose number this is, until the workload is applied again.
    async fn take_off(&self, each: &Owned, number: u32) -> Result<(), SchedulerError> {
        let tasks = self.tasks_of(std::slice::from_ref(each)).await?;
        let of_host =
            |task: &&Task| task.node_id.as_deref().is_some_and(|id| labels::number_on(id) == number);
        let there: Vec<Task> = tasks.iter().filter(of_host).cloned().collect();
        let Some(host) = there.iter().find_map(|task| task.node_id.clone()) else { return Ok(()) };
        let mut hosts = avoided(each);
        if hosts.insert(host) {
            self.update_service(each, kept_off(each, &hosts)).await?;
        }
        self.await_ended(&there).await
    }

    /// Removes services with the files that only they used; returns when their containers have ended.
    pub(super) async fn remove_services(&self, services: Vec<Owned>) -> Result<(), SchedulerError> {
        if services.is_empty() {
            return Ok(());
        }
        let ids: BTreeSet<_> = services.iter().map(|owned| owned.id.clone()).collect();
        let mut tasks = self.tasks_of(&services).await?;
        tasks.retain(|task| task.service_id.as_ref().is_some_and(|id| ids.contains(id)));
        let deleted = stream::iter(ids).map(|id| async move { self.delete_service(&id).await });
        let deleted: Vec<_> = deleted.buffer_unordered(PARALLEL).collect().await;
        deleted.into_iter().collect::<Result<(), _>>()?;
        self.discard_secrets(&services.iter().flat_map(used_by).collect()).await?;
        self.await_ended(&tasks).await
    }

    /// Waits until `tasks` have ended, or are on hosts of which nothing is heard.
    async fn await_ended(&self, tasks: &[Task]) -> Result<(), SchedulerError> {
        let hosts = self.nodes().await?.into_iter();
        let down: BTreeSet<_> =
            hosts.filter(|host| host.state == HostState::Down).map(|host| host.id).collect();
        let runs = |task: &&Task| {
            !is_over(task)
                && task.node_id.as_ref().is_some_and(|host| !host.is_empty() && !down.contains(host))
        };
        let mut left: Vec<String> = tasks.iter().filter(runs).filter_map(|task| task.id.clone()).collect();
        let grace = tasks.iter().filter_map(grace).max().unwrap_or_else(|| self.stop_grace());
        let deadline = Instant::now() + grace + TOLD_WITHIN;
        while !left.is_empty() && Instant::now() < deadline {
            let seen =
                self.tasks(HashMap::from([("id".to_owned(), left.clone())])).await?.unwrap_or_default();
            left = seen.iter().filter(runs).filter_map(|task| task.id.clone()).collect();
            if !left.is_empty() {
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
            }
        }
        Ok(())
    }
}

/// How long the task's container may take to end: what the engine was told when it was made.
fn grace(task: &Task) -> Option<Duration> {
    let nanos = task.spec.as_ref()?.container_spec.as_ref()?.stop_grace_period?;
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{TaskSpec, TaskSpecContainerSpec};

    #[test]
    fn a_container_is_waited_for_as_long_as_the_engine_was_told_when_it_was_made() {
        let task = |stop_grace_period| {
            let container_spec = Some(TaskSpecContainerSpec { stop_grace_period, ..Default::default() });
            Task { spec: Some(TaskSpec { container_spec, ..Default::default() }), ..Default::default() }
        };
        assert_eq!(grace(&task(Some(1_875_000_000_000))), Some(Duration::from_secs(1875)));
        assert_eq!(grace(&task(Some(-1))), None);
        assert_eq!(grace(&task(None)), None);
    }
}
