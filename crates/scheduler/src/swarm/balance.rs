//! Noticing that a container is better made anew: after hosts were lost and came back, one may have several of a
//! workload and another none. Docker Swarm never moves what runs.

use std::collections::BTreeSet;

use bollard::models::{Task, TaskState};

use deis_model::ContainerName;

use super::history::state_of;
use super::service::Owned;
use super::spread::{eligible, groups, held};
use crate::ClusterHost;
use crate::placement::{Held, surplus};

/// Of each workload the one container that should go to another host, if there is one.
pub(super) fn misplaced(
    services: &[Owned],
    tasks: &[Task],
    hosts: &[ClusterHost],
) -> BTreeSet<ContainerName> {
    let running: Vec<Task> =
        tasks.iter().filter(|task| state_of(task) == Some(TaskState::RUNNING)).cloned().collect();
    let surplus = groups(services).into_iter().filter_map(|(workload, group)| {
        let placed: Vec<Held> = group.iter().filter_map(|service| held(service, &running)).collect();
        let number = surplus(&placed, group.len(), &eligible(&group, hosts))?;
        Some(ContainerName { workload, number })
    });
    surplus.collect()
}
