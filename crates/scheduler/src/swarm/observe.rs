//! Telling what containers there are, wherever they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bollard::models::Task;

use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus};

use super::Swarm;
use super::balance::misplaced;
use super::history::{container_id, tell};
use super::service::{Owned, Runs};
use crate::{HostState, SchedulerError, labels};

impl Swarm {
    pub(super) async fn observe_containers(
        &self,
        app: Option<&AppId>,
    ) -> Result<Vec<ContainerStatus>, SchedulerError> {
        let wanted = app.map(|app| (labels::APP, app.to_string()));
        let services = self.services(wanted.as_slice()).await?;
        let tasks = self.tasks_of(&services).await?;
        let nodes = self.nodes().await?;
        let misplaced = misplaced(&services, &tasks, &nodes);
        let there = nodes.into_iter().filter(|host| host.state != HostState::Down);
        let hosts: BTreeMap<String, IpAddr> = there.map(|host| (host.id, host.address)).collect();
        let mut by_service: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
        for task in &tasks {
            by_service.entry(task.service_id.as_deref().unwrap_or_default()).or_default().push(task);
        }
        let told = services.iter().flat_map(|service| {
            let tasks = by_service.remove(service.id.as_str()).unwrap_or_default();
            tell_service(service, &tasks, &hosts)
        });
        let told = told.map(|one| ContainerStatus { misplaced: misplaced.contains(&one.name), ..one });
        let mut seen: Vec<_> = told.collect();
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(seen)
    }

    /// On which host each container is that has one: engine ids to names of hosts.
    pub(super) async fn places(&self) -> Result<BTreeMap<String, String>, SchedulerError> {
        let services = self.services(&[]).await?;
        let tasks = self.tasks_of(&services).await?;
        let names: BTreeMap<String, String> =
            self.nodes().await?.into_iter().map(|host| (host.id, host.name)).collect();
        let placed = tasks.iter().filter_map(|task| {
            let host = names.get(task.node_id.as_ref()?)?;
            Some((container_id(task).or_else(|| task.id.clone())?, host.clone()))
        });
        Ok(placed.collect())
    }
}

fn tell_service(service: &Owned, tasks: &[&Task], hosts: &BTreeMap<String, IpAddr>) -> Vec<ContainerStatus> {
    let address = |host: &str| hosts.get(host).copied();
    let on_host_network = publishes_nothing(service);
    match &service.runs {
        Runs::One(name) => {
            let told = tell(name.clone(), tasks, on_host_network, address);
            vec![told.unwrap_or_else(|| untold(service, name))]
        }
        Runs::Each(workload) => {
            let mut places: BTreeMap<&str, Vec<&Task>> = BTreeMap::new();
            for task in tasks {
                places.entry(task.node_id.as_deref().unwrap_or_default()).or_default().push(task);
            }
            let told = places.into_iter().filter(|(host, _)| !host.is_empty()).filter_map(|(host, tasks)| {
                let name = ContainerName { workload: workload.clone(), number: labels::number_on(host) };
                tell(name, &tasks, on_host_network, address)
            });
            told.collect()
        }
    }
}

/// A container of which the manager has no task yet, or none any more: another comes.
fn untold(service: &Owned, name: &ContainerName) -> ContainerStatus {
    ContainerStatus {
        name: name.clone(),
        id: service.id.clone(),
        state: ContainerState::Created,
        address: None,
        health_check: labels::health_check(&service.labels()),
        restarts: 0,
        started_at: 0,
        exit_code: None,
        out_of_memory: false,
        trouble: None,
        misplaced: false,
        fingerprint: service.fingerprint().to_owned(),
    }
}

fn publishes_nothing(service: &Owned) -> bool {
    let ports = service.spec.endpoint_spec.as_ref().and_then(|endpoint| endpoint.ports.as_ref());
    ports.is_none_or(Vec::is_empty)
}
