//! Containers of the platform's units, as the engine shows them, with the hosts they are on.

use deis_model::{ContainerState, ContainerStatus};
use deis_scheduler::{ClusterHost, HostState, SchedulerError};

use crate::fleet::{Fleet, State};
use crate::unit::{Count, Instance, Unit, workload};

/// One container of a unit.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) unit: Unit,
    /// The name of its host, if that is known.
    pub(crate) host: Option<String>,
    /// What names it among those of its unit; none if it is the only one.
    instance: Option<String>,
    pub(crate) container: ContainerStatus,
}

impl Sighting {
    /// `deis-router@lab1.service`.
    pub(crate) fn name(&self) -> String {
        match &self.instance {
            Some(instance) => format!("deis-{}@{instance}.service", self.unit),
            None => format!("deis-{}.service", self.unit),
        }
    }

    /// The same without its end: `deis-router@lab1`.
    pub(crate) fn short_name(&self) -> String {
        self.name().trim_end_matches(".service").to_owned()
    }

    /// Whether it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.container.state == ContainerState::Up
    }

    /// Whether an operator means it by `instance`: its host, or its number.
    pub(crate) fn is(&self, instance: &Instance) -> bool {
        match instance {
            Instance::All => true,
            Instance::Named(name) => {
                self.host.as_ref() == Some(name) || self.container.name.number.to_string() == *name
            }
        }
    }

    /// Whether its host is gone, so that nothing is known of it.
    pub(crate) fn is_lost(&self, state: &State) -> bool {
        self.on(state).is_some_and(|host| host.state == HostState::Down)
    }

    /// The host that it is on.
    pub(crate) fn on<'a>(&self, state: &'a State) -> Option<&'a ClusterHost> {
        state.hosts.iter().find(|host| Some(&host.name) == self.host.as_ref())
    }
}

/// The containers of `unit`, in the order of their names.
pub(crate) async fn of(fleet: &Fleet, state: &State, unit: Unit) -> Result<Vec<Sighting>, SchedulerError> {
    Ok(all(fleet, state).await?.into_iter().filter(|found| found.unit == unit).collect())
}

/// The containers of all units, by unit and name.
pub(crate) async fn all(fleet: &Fleet, state: &State) -> Result<Vec<Sighting>, SchedulerError> {
    let app = workload::id(Unit::Router).app;
    let containers = fleet.engine.scheduler.observe(Some(&app)).await?;
    let hosts = fleet.cluster.placements().await?;
    let sighting = |container: ContainerStatus| {
        let unit: Unit = container.name.workload.process.as_str().parse().ok()?;
        let host = hosts.get(&container.id).cloned();
        let scaled = state.wish(unit).is_some_and(|wish| wish.replicas.is_some());
        let number = || container.name.number.to_string();
        let instance = match (scaled, unit.count()) {
            (true, _) => Some(number()),
            (false, Count::EveryHost) => Some(host.clone().unwrap_or_else(number)),
            (false, Count::One) => None,
        };
        Some(Sighting { unit, host, instance, container })
    };
    let mut found: Vec<_> = containers.into_iter().filter_map(sighting).collect();
    found.sort_by_key(|found| (found.unit, found.name()));
    Ok(found)
}

/// A container of `unit` on `host`, for tests.
#[cfg(test)]
pub(crate) fn pretended(unit: Unit, host: &str, container_state: ContainerState) -> Sighting {
    let container = ContainerStatus {
        name: deis_model::ContainerName { workload: workload::id(unit), number: 1 },
        id: format!("{unit}-{host}"),
        state: container_state,
        address: None,
        health_check: None,
        restarts: 0,
        started_at: 1_000_000_000_000_000_000,
        exit_code: None,
        out_of_memory: false,
        trouble: None,
        misplaced: false,
        fingerprint: String::new(),
    };
    let instance = (unit.count() == Count::EveryHost).then(|| host.to_owned());
    Sighting { unit, host: Some(host.to_owned()), instance, container }
}
