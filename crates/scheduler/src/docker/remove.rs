//! Stopping and removing containers.

use std::time::Duration;

use bollard::query_parameters::{RemoveContainerOptionsBuilder, StopContainerOptionsBuilder};
use futures::stream::{self, StreamExt};

use deis_model::{ContainerName, WorkloadId};

use super::Docker;
use super::apply::PARALLEL;
use super::failure::{present, status};
use crate::SchedulerError;
use crate::labels;

/// One of our containers, found by its name.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) fingerprint: String,
}

impl Docker {
    pub(super) async fn remove_workload(
        &self,
        id: &WorkloadId,
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        let listed = self.list_kept(&labels::of_workload(id)).await?;
        let ids = listed.into_iter().filter_map(|(_, summary)| summary.id);
        let removed = stream::iter(ids).map(|id| async move { self.stop_and_remove(&id, grace).await });
        removed.buffer_unordered(PARALLEL).collect::<Vec<_>>().await.into_iter().collect()
    }

    pub(super) async fn remove_named(
        &self,
        name: &ContainerName,
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        match self.inspect_own(name).await? {
            Some(found) => self.stop_and_remove(&found.id, grace).await,
            None => Ok(()),
        }
    }

    /// A container's name on the engine.
    pub(super) fn engine_name(&self, name: &ContainerName) -> String {
        labels::engine_name(&self.options.platform, name)
    }

    /// The container of this name; none if there is none or it is not ours.
    pub(super) async fn inspect_own(&self, name: &ContainerName) -> Result<Option<Found>, SchedulerError> {
        let text = self.engine_name(name);
        let found = present(self.client.inspect_container(&text, None).await);
        let Some(found) = found.map_err(|error| self.failed("inspect container", &text, &error))? else {
            return Ok(None);
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let ours = labels::own_name(&self.options.platform, &text, &labels).is_some()
            && !labels::is_swarms(Some(&labels));
        let fingerprint = labels::text(&labels, labels::FINGERPRINT).to_owned();
        Ok(found.id.filter(|_| ours).map(|id| Found { id, fingerprint }))
    }

    /// SIGTERM, SIGKILL after `grace`, then removal with the volumes that nobody named.
    pub(super) async fn stop_and_remove(&self, id: &str, grace: Duration) -> Result<(), SchedulerError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopped = present(self.patient(grace).stop_container(id, Some(options)).await);
        match stopped {
            Ok(None) => Ok(()),
            // Even one that cannot be stopped, as it was never started, can be removed.
            Ok(Some(())) | Err(bollard::errors::Error::DockerResponseServerError { .. }) => {
                self.discard(id).await
            }
            Err(error) => Err(self.failed("stop container", id, &error)),
        }
    }

    /// Kills and removes a container; absent, or on its way out, is success.
    pub(super) async fn discard(&self, id: &str) -> Result<(), SchedulerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.client.remove_container(id, Some(options)).await {
            Err(error) if matches!(status(&error), Some(404 | 409)) => Ok(()),
            removed => removed.map_err(|error| self.failed("remove container", id, &error)),
        }
    }
}
