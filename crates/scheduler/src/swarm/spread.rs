//! Keeping the containers of a workload on different hosts. They are services of their own, which Docker Swarm does not
//! know to belong together: constraints tell it where not to put them.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ServiceSpec, Task, TaskState};

use deis_model::{ProcessType, WorkloadId};

use super::Swarm;
use super::service::{Owned, Runs};
use super::spec::{avoid, unchecked};
use crate::placement::Held;
use crate::{ClusterHost, HostState, SchedulerError};

/// Larger workloads spread well enough by themselves: Docker Swarm prefers the host with the fewest containers.
const WATCHED_LIMIT: usize = 8;

/// The service's container, if it has a host.
pub(super) fn held(service: &Owned, tasks: &[Task]) -> Option<Held> {
    let Runs::One(name) = &service.runs else { return None };
    Some(Held { number: name.number, host: host_of(service, tasks)?.to_owned() })
}

/// The hosts on which container `number` of a workload must not be made: all but those that hold fewest of it.
///
/// Among equals it goes where fewest of lower numbers are: the higher ones may only stand in for a while, and are the
/// first to go.
pub(super) fn crowded(hosts: &[String], held: &[Held], number: u32) -> Vec<String> {
    let crowd = |host: &String| {
        let here = || held.iter().filter(|held| held.host == *host);
        (here().count(), here().filter(|held| held.number < number).count())
    };
    let least = hosts.iter().map(crowd).min().unwrap_or_default();
    hosts.iter().filter(|host| crowd(host) > least).cloned().collect()
}

/// The hosts to which a container that is on `own` should not be moved when that is lost: where most of the others are.
///
/// Two hosts always remain, so that the loss of one never leaves it without a place; `now` is what was said before.
pub(super) fn apart(
    hosts: &[String],
    own: &str,
    others: &[String],
    now: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut crowded: Vec<_> = hosts.iter().filter(|host| *host != own && count(host, others) > 0).collect();
    // What was said already is kept among equals: nothing is changed without need.
    crowded.sort_by_key(|host| (usize::MAX - count(host, others), !now.contains(*host), (*host).clone()));
    crowded.into_iter().take(hosts.len().saturating_sub(2)).cloned().collect()
}

fn count(host: &str, held: &[String]) -> usize {
    held.iter().filter(|held| *held == host).count()
}

/// The host on which the service's container is or will be; none while it has no place.
pub(super) fn host_of<'a>(service: &Owned, tasks: &'a [Task]) -> Option<&'a str> {
    let here = tasks.iter().filter(|task| task.service_id.as_deref() == Some(&service.id));
    let mut wanted =
        here.filter(|task| matches!(task.desired_state, Some(TaskState::RUNNING | TaskState::READY)));
    wanted.find_map(|task| task.node_id.as_deref().filter(|node| !node.is_empty()))
}

/// The hosts that a service is kept off.
pub(super) fn avoided(service: &Owned) -> BTreeSet<String> {
    let prefix = avoid("");
    service.constraints().iter().filter_map(|text| text.strip_prefix(&prefix)).map(str::to_owned).collect()
}

/// `service` with `hosts` as those that it is kept off, and nothing else changed: its container stays where it is.
pub(super) fn kept_off(service: &Owned, hosts: &BTreeSet<String>) -> ServiceSpec {
    let prefix = avoid("");
    let mut spec = service.spec.clone();
    if let Some(task) = &mut spec.task_template {
        let constraints = task.placement.get_or_insert_default().constraints.get_or_insert_default();
        constraints.retain(|text| !text.starts_with(&prefix));
        constraints.extend(hosts.iter().map(|host| avoid(host)));
        // The client does not know the name under which engines give it back. Left out, it would be a change, and all
        // containers would start anew.
        task.container_spec.get_or_insert_default().health_check.get_or_insert_with(unchecked);
    }
    spec
}

impl Swarm {
    /// Says of every container of these services where it should not be moved to.
    pub(super) async fn keep_apart(&self, services: &[Owned], tasks: &[Task]) -> Result<(), SchedulerError> {
        for group in groups(services).values().filter(|group| group.len() <= WATCHED_LIMIT) {
            for (service, hosts) in self.changes(group, tasks).await? {
                self.update_service(service, kept_off(service, &hosts)).await?;
            }
        }
        Ok(())
    }

    /// The services of one workload whose constraints are not what they should be.
    async fn changes<'a>(
        &self,
        group: &[&'a Owned],
        tasks: &[Task],
    ) -> Result<Vec<(&'a Owned, BTreeSet<String>)>, SchedulerError> {
        let alone = group.len() < 2 && group.iter().all(|service| avoided(service).is_empty());
        if alone {
            return Ok(Vec::new());
        }
        let hosts = eligible(group, &self.nodes().await?);
        Ok(group.iter().filter_map(|service| change(service, group, tasks, &hosts)).collect())
    }
}

/// The hosts that take work and carry the labels that all of `group` ask for.
pub(super) fn eligible(group: &[&Owned], hosts: &[ClusterHost]) -> Vec<String> {
    let tags = group.iter().flat_map(|service| service.constraints());
    let tags: Vec<_> = tags.filter_map(|text| text.strip_prefix("node.labels.")?.split_once("==")).collect();
    let fits = |host: &&ClusterHost| {
        let carries = |(key, value): &(&str, &str)| host.labels.get(*key).is_some_and(|found| found == value);
        host.state == HostState::Ready && tags.iter().all(carries)
    };
    hosts.iter().filter(fits).map(|host| host.id.clone()).collect()
}

fn change<'a>(
    service: &'a Owned,
    group: &[&'a Owned],
    tasks: &[Task],
    hosts: &[String],
) -> Option<(&'a Owned, BTreeSet<String>)> {
    let now = avoided(service);
    let others: Vec<String> = group
        .iter()
        .filter(|other| other.id != service.id)
        .filter_map(|other| host_of(other, tasks).map(str::to_owned))
        .collect();
    let own = host_of(service, tasks).filter(|own| hosts.iter().any(|host| host == own));
    let wanted = match own {
        Some(own) => apart(hosts, own, &others, &now),
        // Nowhere to go with what was said: anywhere is better.
        None if hosts.iter().all(|host| now.contains(host)) => BTreeSet::new(),
        // On its way from a lost host: what was said before is what keeps it apart from the others now.
        None => return None,
    };
    (wanted != now).then_some((service, wanted))
}

/// The services of each workload that has containers of their own. Jobs have nothing to do with each other.
pub(super) fn groups(services: &[Owned]) -> BTreeMap<WorkloadId, Vec<&Owned>> {
    let mut groups: BTreeMap<WorkloadId, Vec<&Owned>> = BTreeMap::new();
    let belongs = |service: &&Owned| {
        matches!(service.runs, Runs::One(_)) && service.workload().process != ProcessType::run()
    };
    for service in services.iter().filter(belongs) {
        groups.entry(service.workload().clone()).or_default().push(service);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_next_container_goes_where_fewest_are() {
        // The containers of lower numbers are on `held`.
        let check = |all: &str, held: &str, expected: &str| {
            let numbered = (1..).zip(hosts(held)).map(|(number, host)| Held { number, host });
            assert_eq!(crowded(&hosts(all), &numbered.collect::<Vec<_>>(), 100), hosts(expected), "{held}");
        };
        check("a b c", "", "");
        check("a b c", "a", "a");
        check("a b c", "a b", "a b");
        check("a b c", "a b c", "");
        check("a b", "a a b", "a");
        check("a", "a a", "");
    }

    #[test]
    fn one_that_another_stood_in_for_goes_where_that_one_is() {
        let held = [(1, "a"), (3, "b")].map(|(number, host)| Held { number, host: host.to_owned() });
        assert_eq!(crowded(&hosts("a b"), &held, 2), hosts("a"));
        assert_eq!(crowded(&hosts("a b c"), &held, 2), hosts("a b"));
    }

    #[test]
    fn a_moved_container_does_not_join_the_others_where_there_is_a_choice() {
        let check = |all: &str, own: &str, others: &str, now: &str, expected: &str| {
            let now = hosts(now).into_iter().collect();
            let expected: BTreeSet<_> = hosts(expected).into_iter().collect();
            assert_eq!(apart(&hosts(all), own, &hosts(others), &now), expected, "{own} {others}");
        };
        check("a b c", "a", "b", "", "b");
        check("a b c", "a", "b c", "", "b");
        check("a b c", "a", "b c", "c", "c");
        check("a b c", "a", "b c c", "b", "c");
        check("a b", "a", "b", "b", "");
        check("a b c d", "a", "b c d", "", "b c");
        check("a b c", "a", "a", "", "");
    }

    /// Container `number` of a workload, kept off the hosts `avoided`.
    fn service(number: u32, avoided: &str) -> Owned {
        let name = deis_model::ContainerName::parse(&format!("blog_v2.web.{number}")).expect("valid");
        let spec = ServiceSpec { task_template: Some(Default::default()), ..Default::default() };
        let owned = Owned { id: format!("id{number}"), runs: Runs::One(name), version: 1, spec };
        Owned { spec: kept_off(&owned, &hosts(avoided).into_iter().collect()), ..owned }
    }

    fn on(number: u32, host: &str) -> Task {
        Task {
            service_id: Some(format!("id{number}")),
            node_id: Some(host.to_owned()),
            desired_state: Some(TaskState::RUNNING),
            ..Default::default()
        }
    }

    #[test]
    fn a_service_that_is_kept_off_a_host_is_changed_in_nothing_else() {
        let given = serde_json::json!({
            "TaskTemplate": {
                "ContainerSpec": { "Image": "blog", "Healthcheck": { "Test": ["NONE"] } },
                "Placement": { "Constraints": ["node.labels.dataPlane==true"] },
            },
        });
        let spec = serde_json::from_value(given).expect("as engines give it");
        let off = kept_off(&Owned { spec, ..service(1, "") }, &BTreeSet::from(["a".to_owned()]));
        let mut told = serde_json::to_value(off).expect("JSON");
        let task = &mut told["TaskTemplate"];
        assert_eq!(task["ContainerSpec"]["HealthCheck"]["Test"], serde_json::json!(["NONE"]));
        assert_eq!(task["Placement"]["Constraints"][1], "node.id!=a");
    }

    #[test]
    fn what_keeps_a_container_apart_holds_until_it_has_left_its_lost_host() {
        let (one, two) = (service(1, "b"), service(2, "a"));
        let tasks = [on(1, "a"), on(2, "b")];
        let change = |all: &str| {
            change(&one, &[&one, &two], &tasks, &hosts(all)).map(|(_, wanted)| wanted.into_iter().collect())
        };
        assert_eq!(change("a b c"), None::<Vec<String>>);
        assert_eq!(change("b c"), None, "its host is lost, and it must not go where the other one is");
        assert_eq!(change("b"), Some(Vec::new()), "there is no other host");
    }
}
