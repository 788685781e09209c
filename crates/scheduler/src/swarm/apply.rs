//! Making a workload exist as described.

use std::time::Duration;

use bollard::models::{ServiceSpec, TaskSpecContainerSpecSecrets};
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use deis_model::{ContainerName, Spread, Workload};

use super::Swarm;
use super::failure::refused;
use super::plan::{Step, plan};
use super::secret::{check_files, used_by};
use super::service::{Owned, Runs};
use super::spread::{crowded, held};
use super::trouble::trouble;
use crate::SchedulerError;
use crate::labels;
use crate::placement::Held;

/// How many services are made or removed at a time where their order does not matter.
pub(super) const PARALLEL: usize = 8;

/// How long a new container's host is waited for before the next is made without knowing it.
const PLACED_WITHIN: Duration = Duration::from_secs(15);

/// Between questions to the manager.
pub(super) const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl Swarm {
    pub(super) async fn apply_workload(&self, workload: &Workload) -> Result<(), SchedulerError> {
        check_files(workload)?;
        match workload.spread {
            Spread::Replicas => self.apply_ones(workload).await,
            Spread::Hosts => self.apply_each(workload).await,
        }
    }

    async fn apply_ones(&self, workload: &Workload) -> Result<(), SchedulerError> {
        // Scaling to nothing is possible anywhere.
        let hosts = match workload.replicas {
            0 => Vec::new(),
            _ => self.fitting_nodes(&workload.tags).await?,
        };
        let hosts: Vec<String> = hosts.into_iter().map(|host| host.id).collect();
        let present = self.services(&labels::of_workload(&workload.id)).await?;
        let steps = plan(workload, &present);
        let made = self.make(workload, &steps, &hosts, &present).await;
        let made = match present.iter().any(|owned| matches!(owned.runs, Runs::Each(_))) {
            false => made,
            true => {
                // What is to go stays until all that are to come are there.
                made?;
                self.await_overlap(workload, 1).await?;
                Ok(())
            }
        };
        let surplus = steps.iter().filter_map(|step| match step {
            Step::Remove(owned) => Some((*owned).clone()),
            _ => None,
        });
        // All are tried before the first failure is told.
        let removed = self.remove_services(surplus.collect()).await;
        made.and(removed)?;
        self.settle(workload).await
    }

    async fn make(
        &self,
        workload: &Workload,
        steps: &[Step<'_>],
        hosts: &[String],
        present: &[Owned],
    ) -> Result<(), SchedulerError> {
        let numbers = steps.iter().filter_map(|step| match step {
            Step::Create(number) => Some(*number),
            _ => None,
        });
        let numbers: Vec<u32> = numbers.collect();
        let updates = steps.iter().filter_map(|step| match step {
            Step::Update(number, owned) => Some((*number, *owned)),
            _ => None,
        });
        let updates: Vec<_> = updates.collect();
        if numbers.is_empty() && updates.is_empty() {
            return Ok(());
        }
        let secrets = self.make_ready(workload).await?;
        let created = match hosts.len() {
            0 | 1 => self.create_together(workload, &secrets, &numbers).await,
            _ => self.create_apart(workload, &secrets, &numbers, hosts, present).await,
        };
        let updated = self.update_one_by_one(workload, &secrets, &updates).await;
        created.and(updated)
    }

    /// What every container needs before the first of them.
    pub(super) async fn make_ready(
        &self,
        workload: &Workload,
    ) -> Result<Vec<TaskSpecContainerSpecSecrets>, SchedulerError> {
        self.local.prepare_image(&workload.image).await?;
        self.secrets(workload).await
    }

    async fn create_together(
        &self,
        workload: &Workload,
        secrets: &[TaskSpecContainerSpecSecrets],
        numbers: &[u32],
    ) -> Result<(), SchedulerError> {
        let created = stream::iter(numbers.iter().copied()).map(|number| async move {
            let spec = self.one(workload, number, secrets, &[]);
            self.create(workload, number, spec).await.map(drop)
        });
        created.buffer_unordered(PARALLEL).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// Each where fewest of the workload are: so the host of one is known before the next is made.
    async fn create_apart(
        &self,
        workload: &Workload,
        secrets: &[TaskSpecContainerSpecSecrets],
        numbers: &[u32],
        hosts: &[String],
        present: &[Owned],
    ) -> Result<(), SchedulerError> {
        let tasks = self.tasks_of(present).await?;
        let mut held: Vec<Held> = present.iter().filter_map(|owned| held(owned, &tasks)).collect();
        for number in numbers {
            let spec = self.one(workload, *number, secrets, &crowded(hosts, &held, *number));
            let id = self.create(workload, *number, spec).await?;
            held.extend(self.await_host(&id).await?.map(|host| Held { number: *number, host }));
        }
        Ok(())
    }

    async fn create(
        &self,
        workload: &Workload,
        number: u32,
        spec: ServiceSpec,
    ) -> Result<String, SchedulerError> {
        let runs = Runs::One(ContainerName { workload: workload.id.clone(), number });
        match self.create_service(&runs, &workload.image, spec).await? {
            Some(id) => Ok(id),
            None => self.same_made_by_another(workload, &runs).await,
        }
    }

    /// The service that holds the name, if it is just what is wanted.
    async fn same_made_by_another(&self, workload: &Workload, runs: &Runs) -> Result<String, SchedulerError> {
        let services = self.services(&labels::of_workload(&workload.id)).await?;
        let fingerprint = workload.fingerprint();
        let same =
            services.into_iter().find(|owned| owned.runs == *runs && owned.fingerprint() == fingerprint);
        same.map(|owned| owned.id).ok_or_else(|| {
            let name = runs.service_name(self.platform());
            refused(
                "create service",
                &runs.to_string(),
                format!("the name {name} is held by another; remove it"),
            )
        })
    }

    async fn await_host(&self, id: &str) -> Result<Option<String>, SchedulerError> {
        let deadline = Instant::now() + PLACED_WITHIN;
        while Instant::now() < deadline {
            let tasks = self.tasks([("service".to_owned(), vec![id.to_owned()])].into()).await?;
            let placed =
                tasks.iter().flatten().find_map(|task| task.node_id.clone().filter(|id| !id.is_empty()));
            let waits_for_a_host = tasks.iter().flatten().any(|task| trouble(task).is_some());
            if placed.is_some() || tasks.is_none() || waits_for_a_host {
                return Ok(placed);
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        Ok(None)
    }

    async fn update_one_by_one(
        &self,
        workload: &Workload,
        secrets: &[TaskSpecContainerSpecSecrets],
        updates: &[(u32, &Owned)],
    ) -> Result<(), SchedulerError> {
        for (step, (number, owned)) in updates.iter().enumerate() {
            let avoided: Vec<String> = super::spread::avoided(owned).into_iter().collect();
            self.update_service(owned, self.one(workload, *number, secrets, &avoided)).await?;
            if step + 1 < updates.len() {
                self.await_running(&owned.id, &workload.fingerprint(), 1).await?;
            }
        }
        let released = updates.iter().flat_map(|(_, owned)| used_by(owned)).collect();
        self.discard_secrets(&released).await
    }

    async fn settle(&self, workload: &Workload) -> Result<(), SchedulerError> {
        let services = self.services(&labels::of_workload(&workload.id)).await?;
        let tasks = self.tasks_of(&services).await?;
        match self.keep_apart(&services, &tasks).await {
            // Somebody else is at it, or it is tried again with the next change.
            Err(SchedulerError::Conflict { .. }) => Ok(()),
            settled => settled,
        }
    }
}
