//! Noticing that a container is better made anew: after hosts were lost and came back, one may have several of a
//! workload and another none. Docker Swarm never moves what runs.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{Task, TaskState};

use deis_model::ContainerName;

use super::history::state_of;
use super::service::Owned;
use super::spread::{Held, eligible, groups, held};
use crate::ClusterHost;

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

/// The highest number on the fullest host, while all `wanted` containers run and a host has none.
fn surplus(placed: &[Held], wanted: usize, hosts: &[String]) -> Option<u32> {
    let mut numbers: BTreeMap<&String, Vec<u32>> = hosts.iter().map(|host| (host, Vec::new())).collect();
    for held in placed {
        // One that is where none should be is on its way already.
        numbers.get_mut(&held.host)?.push(held.number);
    }
    let has_empty = numbers.values().any(Vec::is_empty);
    let fullest = numbers.values().max_by_key(|numbers| (numbers.len(), numbers.iter().max()))?;
    (placed.len() == wanted && has_empty && fullest.len() > 1).then(|| fullest.iter().max().copied())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `held` are the hosts of containers 1, 2, …; `-` has none.
    fn check(hosts: &str, held: &str, expected: Option<u32>) {
        let names: Vec<_> = hosts.split_whitespace().map(str::to_owned).collect();
        let wanted: Vec<_> = held.split_whitespace().collect();
        let numbered = (1..).zip(&wanted).filter(|(_, host)| **host != "-");
        let placed: Vec<_> =
            numbered.map(|(number, host)| Held { number, host: (*host).to_owned() }).collect();
        assert_eq!(surplus(&placed, wanted.len(), &names), expected, "{held} on {hosts}");
    }

    #[test]
    fn one_container_at_a_time_leaves_a_host_with_several_for_one_with_none() {
        check("a b c", "a a", Some(2));
        check("a b c", "b a a", Some(3));
        check("a b c", "a a b b b", Some(5));
        check("a b c", "a b", None);
        check("a b c", "a b c a a", None);
        check("a", "a a", None);
        check("a b", "", None);
    }

    #[test]
    fn nothing_is_moved_while_not_all_run_where_they_should() {
        check("a b c", "a a -", None);
        check("a b", "a a lost", None);
    }
}
