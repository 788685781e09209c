//! Services of this platform.

use std::collections::HashMap;

use bollard::models::{Service, ServiceSpec, Task};
use bollard::query_parameters::{
    ListServicesOptionsBuilder, ListTasksOptionsBuilder, UpdateServiceOptionsBuilder,
};

use deis_model::{ContainerName, WorkloadId};

use super::Swarm;
use super::failure::refused;
use crate::SchedulerError;
use crate::docker::{engine_credentials, present};
use crate::labels;

/// More services than this are not named one by one in a question.
const NAMED_LIMIT: usize = 20;

/// What a service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// One container.
    One(ContainerName),
    /// A container of the workload on every host.
    Each(WorkloadId),
}

/// A service whose name and labels agree, so that it is ours.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    pub(super) id: String,
    pub(super) runs: Runs,
    pub(super) version: u64,
    pub(super) spec: ServiceSpec,
}

impl Owned {
    /// Reads the manager's entry; none if it is not `platform`'s.
    pub(super) fn read(platform: &str, service: Service) -> Option<Self> {
        let spec = service.spec?;
        let labels = spec.labels.as_ref()?;
        let workload = labels::workload(labels)?;
        let runs = match labels::number(labels) {
            Some(number) => Runs::One(ContainerName { workload, number }),
            None => Runs::Each(workload),
        };
        let ours = labels::text(labels, labels::PLATFORM) == platform
            && spec.name.as_deref() == Some(&runs.service_name(platform));
        let version = service.version?.index?;
        ours.then_some(Self { id: service.id?, runs, version, spec })
    }

    /// The labels of its containers.
    pub(super) fn labels(&self) -> HashMap<String, String> {
        self.spec.labels.clone().unwrap_or_default()
    }

    /// The workload that its containers belong to.
    pub(super) fn workload(&self) -> &WorkloadId {
        match &self.runs {
            Runs::One(name) => &name.workload,
            Runs::Each(workload) => workload,
        }
    }

    /// Of the workload that it was made from.
    pub(super) fn fingerprint(&self) -> &str {
        self.spec.labels.as_ref().map_or("", |labels| labels::text(labels, labels::FINGERPRINT))
    }

    /// Where it may run, as in `node.labels.disk==ssd`.
    pub(super) fn constraints(&self) -> &[String] {
        let placement = self.spec.task_template.as_ref().and_then(|task| task.placement.as_ref());
        placement.and_then(|placement| placement.constraints.as_deref()).unwrap_or_default()
    }
}

impl Runs {
    /// The name of its service.
    pub(super) fn service_name(&self, platform: &str) -> String {
        match self {
            Self::One(name) => labels::service_name(platform, &name.to_string()),
            Self::Each(workload) => labels::service_name(platform, &workload.to_string()),
        }
    }
}

impl std::fmt::Display for Runs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(name) => name.fmt(formatter),
            Self::Each(workload) => workload.fmt(formatter),
        }
    }
}

impl Swarm {
    /// This platform's services with these labels.
    pub(super) async fn services(&self, wanted: &[(&str, String)]) -> Result<Vec<Owned>, SchedulerError> {
        let filters = labels::filters(self.platform(), wanted);
        let options = ListServicesOptionsBuilder::new().filters(&filters).build();
        let listed = self.client().list_services(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("list", "services", &error))?;
        Ok(listed.into_iter().filter_map(|service| Owned::read(self.platform(), service)).collect())
    }

    /// The tasks of `services`, and others where that is simpler.
    pub(super) async fn tasks_of(&self, services: &[Owned]) -> Result<Vec<Task>, SchedulerError> {
        if services.is_empty() {
            return Ok(Vec::new());
        }
        let mut filters = HashMap::new();
        if services.len() <= NAMED_LIMIT {
            filters.insert("service".to_owned(), services.iter().map(|service| service.id.clone()).collect());
        }
        match self.tasks(filters).await? {
            Some(tasks) => Ok(tasks),
            // One of them went meanwhile, and nothing is said about the others then.
            None => Ok(self.tasks(HashMap::new()).await?.unwrap_or_default()),
        }
    }

    /// The tasks that `filters` let through; none if a service in them is gone.
    pub(super) async fn tasks(
        &self,
        filters: HashMap<String, Vec<String>>,
    ) -> Result<Option<Vec<Task>>, SchedulerError> {
        let options = ListTasksOptionsBuilder::new().filters(&filters).build();
        let listed = present(self.client().list_tasks(Some(options)).await);
        listed.map_err(|error| self.failed("list", "tasks", &error))
    }

    /// Makes a service and answers its id. None if its name is held.
    pub(super) async fn create_service(
        &self,
        runs: &Runs,
        image: &str,
        spec: ServiceSpec,
    ) -> Result<Option<String>, SchedulerError> {
        let credentials = self.local.credentials(image).map(engine_credentials);
        match self.client().create_service(spec, credentials).await {
            Ok(created) => Ok(created.id),
            Err(error) if crate::docker::status(&error) == Some(409) => Ok(None),
            Err(error) => Err(self.failed("create service", &runs.to_string(), &error)),
        }
    }

    /// Changes a service, unless somebody else did since it was read.
    pub(super) async fn update_service(
        &self,
        owned: &Owned,
        spec: ServiceSpec,
    ) -> Result<(), SchedulerError> {
        let subject = owned.runs.to_string();
        let version = i32::try_from(owned.version);
        let version = version.map_err(|_| refused("update service", &subject, "its version is too large"))?;
        let options = UpdateServiceOptionsBuilder::new().version(version).registry_auth_from("spec").build();
        let credentials = self.local.credentials(image(&spec)).map(engine_credentials);
        let updated = self.client().update_service(&owned.id, spec, options, credentials).await;
        updated.map(drop).map_err(|error| self.failed("update service", &subject, &error))
    }

    /// Removes a service; absent is success. Its containers end after.
    pub(super) async fn delete_service(&self, id: &str) -> Result<(), SchedulerError> {
        let deleted = present(self.client().delete_service(id).await);
        deleted.map(drop).map_err(|error| self.failed("remove service", id, &error))
    }
}

/// The image that a service runs.
pub(super) fn image(spec: &ServiceSpec) -> &str {
    let container = spec.task_template.as_ref().and_then(|task| task.container_spec.as_ref());
    container.and_then(|container| container.image.as_deref()).unwrap_or_default()
}
