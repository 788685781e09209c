//! Plans: what to do so that what runs becomes what is wanted.

mod verdict;

use std::collections::BTreeSet;

use crate::{ContainerName, ContainerState, ContainerStatus, ProcessType, Workload};

pub use verdict::{CRASHES_TO_FAIL, Failure, STAY_UP, Unready, Verdict, unready};

/// The steps that bring one app's containers to what is wanted. Empty when there is nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Workloads with a container missing or not started.
    pub apply: Vec<Workload>,
    /// Containers that nobody wants: to be stopped once no request is under way to them.
    pub retire: Vec<ContainerName>,
}

/// Compares `wanted` with `containers`; jobs (type `run`) are left alone.
///
/// A workload to apply never asks for fewer containers than run already: shrinking is [`Plan::retire`]'s, after draining.
pub fn plan(wanted: &[Workload], containers: &[ContainerStatus]) -> Plan {
    let apply = wanted.iter().filter(|workload| lacks(workload, containers));
    let retire = containers.iter().filter(|container| {
        container.name.workload.process != ProcessType::run() && !wants(wanted, &container.name)
    });
    Plan {
        apply: apply.map(|workload| keeping_surplus(workload, containers)).collect(),
        retire: retire.map(|container| container.name.clone()).collect(),
    }
}

/// Whether `wanted` asks for this container.
pub fn wants(wanted: &[Workload], name: &ContainerName) -> bool {
    wanted.iter().any(|workload| workload.id == name.workload && name.number <= workload.replicas)
}

fn lacks(workload: &Workload, containers: &[ContainerStatus]) -> bool {
    let present: BTreeSet<u32> =
        of(workload, containers).filter(|found| is_kept_up(found)).map(number).collect();
    (1..=workload.replicas).any(|wanted| !present.contains(&wanted))
}

/// Whether the engine keeps it running, so that applying again would change nothing.
fn is_kept_up(container: &ContainerStatus) -> bool {
    matches!(container.state, ContainerState::Up | ContainerState::Down)
        || (container.state == ContainerState::Crashed && container.restarts > 0)
}

fn keeping_surplus(workload: &Workload, containers: &[ContainerStatus]) -> Workload {
    let highest = of(workload, containers).map(number).max().unwrap_or(0);
    Workload { replicas: workload.replicas.max(highest), ..workload.clone() }
}

fn of<'a>(
    workload: &'a Workload,
    containers: &'a [ContainerStatus],
) -> impl Iterator<Item = &'a ContainerStatus> {
    containers.iter().filter(move |container| container.name.workload == workload.id)
}

fn number(container: &ContainerStatus) -> u32 {
    container.name.number
}

#[cfg(test)]
mod tests;
