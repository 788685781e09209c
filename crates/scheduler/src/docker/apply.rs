//! Making a workload exist as described.

use std::time::Duration;

use bollard::errors::Error;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, StartContainerOptions};
use futures::stream::{self, StreamExt};

use deis_model::{ContainerName, Workload};

use super::Docker;
use super::failure::{present, status};
use super::plan::{Present, Step, plan};
use crate::SchedulerError;
use crate::labels;

/// How many containers are made, started or removed at a time.
pub(super) const PARALLEL: usize = 8;

/// How long a container that is replaced or not wanted any more may take to end.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How often making a container is tried while others with its name are in the way.
const TRIES: usize = 20;

/// How long to wait between tries: a removal under way holds the name for a moment.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

impl Docker {
    pub(super) async fn apply_workload(&self, workload: &Workload) -> Result<(), SchedulerError> {
        // Scaling to nothing is possible anywhere.
        if workload.replicas > 0 {
            self.check_tags(&workload.tags).await?;
        }
        if workload.host.as_ref().is_none_or(|access| !access.network) {
            self.ensure_network().await?;
        }
        let steps = plan(workload, &self.present(workload).await?);
        let taken = stream::iter(steps).map(|step| self.take(workload, step)).buffer_unordered(PARALLEL);
        // All are tried before the first failure is told: one bad container holds up no others.
        taken.collect::<Vec<_>>().await.into_iter().collect()
    }

    async fn present(&self, workload: &Workload) -> Result<Vec<Present>, SchedulerError> {
        let wanted = labels::of_workload(&workload.id);
        let listed = self.list_kept(&wanted).await?;
        Ok(listed.into_iter().filter_map(|(name, summary)| Present::new(name, summary)).collect())
    }

    /// Containers of this platform that carry `wanted`, with the names that they must have.
    pub(super) async fn list_containers(
        &self,
        wanted: &[(&str, String)],
    ) -> Result<Vec<(ContainerName, ContainerSummary)>, SchedulerError> {
        let filters = labels::filters(&self.options.platform, wanted);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.client.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("list", "containers", &error))?;
        Ok(listed.into_iter().filter_map(|summary| self.own(summary)).collect())
    }

    /// The same without those that Docker Swarm keeps on this host.
    pub(super) async fn list_kept(
        &self,
        wanted: &[(&str, String)],
    ) -> Result<Vec<(ContainerName, ContainerSummary)>, SchedulerError> {
        let mut listed = self.list_containers(wanted).await?;
        listed.retain(|(_, summary)| !labels::is_swarms(summary.labels.as_ref()));
        Ok(listed)
    }

    fn own(&self, summary: ContainerSummary) -> Option<(ContainerName, ContainerSummary)> {
        let labels = summary.labels.as_ref()?;
        let mut names = summary.names.iter().flatten();
        let name = names.find_map(|name| labels::own_name(&self.options.platform, name, labels))?;
        Some((name, summary))
    }

    async fn take(&self, workload: &Workload, step: Step) -> Result<(), SchedulerError> {
        match step {
            Step::Create(name) => self.create_and_start(workload, &name).await,
            Step::Start(name, id) => match self.start(&id).await {
                Ok(()) => Ok(()),
                // Made for a network that is gone, or never startable: only a new one can be well.
                Err(_) => self.replace(workload, &name, &id).await,
            },
            Step::Replace(name, id) => self.replace(workload, &name, &id).await,
            Step::Remove(id) => self.stop_and_remove(&id, STOP_GRACE).await,
        }
    }

    async fn replace(
        &self,
        workload: &Workload,
        name: &ContainerName,
        id: &str,
    ) -> Result<(), SchedulerError> {
        self.stop_and_remove(id, STOP_GRACE).await?;
        self.create_and_start(workload, name).await
    }

    async fn create_and_start(
        &self,
        workload: &Workload,
        name: &ContainerName,
    ) -> Result<(), SchedulerError> {
        for _ in 0..TRIES {
            let id = match self.create(name, self.replica(workload, name.number)).await {
                Ok(id) => {
                    self.put_files(&id, workload).await?;
                    Some(id)
                }
                Err(error) if status(&error) == Some(409) => self.make_way(workload, name).await?,
                Err(error) => return Err(self.creation_failed(&workload.image, name, &error)),
            };
            if let Some(id) = id {
                let started = self.start(&id).await;
                return started.map_err(|error| self.failed("start container", &name.to_string(), &error));
            }
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        Err(taken(name, "an older container of that name does not go"))
    }

    /// Answers the id of the container that has the name if it is just what is wanted; removes it if it is ours.
    async fn make_way(
        &self,
        workload: &Workload,
        name: &ContainerName,
    ) -> Result<Option<String>, SchedulerError> {
        let Some(found) = self.inspect_own(name).await? else {
            return self.refuse_foreign(name).await;
        };
        if found.fingerprint == workload.fingerprint() {
            return Ok(Some(found.id));
        }
        self.stop_and_remove(&found.id, STOP_GRACE).await?;
        Ok(None)
    }

    async fn refuse_foreign(&self, name: &ContainerName) -> Result<Option<String>, SchedulerError> {
        let found = present(self.client.inspect_container(&self.engine_name(name), None).await);
        match found.map_err(|error| self.failed("inspect container", &name.to_string(), &error))? {
            None => Ok(None),
            Some(_) => {
                Err(taken(name, "the name is held by a container that is not this platform's; remove it"))
            }
        }
    }

    /// Starts a container; one that runs already is left alone.
    pub(super) async fn start(&self, id: &str) -> Result<(), Error> {
        self.client.start_container(id, None::<StartContainerOptions>).await
    }

    pub(super) fn creation_failed(&self, image: &str, name: &ContainerName, error: &Error) -> SchedulerError {
        match status(error) {
            Some(404) => SchedulerError::NoImage {
                image: image.to_owned(),
                reason: "the engine does not have it".to_owned(),
            },
            _ => self.failed("create container", &name.to_string(), error),
        }
    }
}

fn taken(name: &ContainerName, reason: &str) -> SchedulerError {
    SchedulerError::Engine {
        action: "create container",
        subject: name.to_string(),
        reason: reason.to_owned(),
    }
}
