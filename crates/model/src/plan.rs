//! Plans: what to do so that what runs becomes what is wanted.

use std::collections::BTreeSet;

use crate::{ContainerName, ContainerState, ContainerStatus, ProcessType, Workload};

/// How often a container may end by itself before its release counts as failed.
pub const CRASHES_TO_FAIL: u32 = 3;

/// How long a container without a port must stay up to count as ready, in nanoseconds.
pub const STAY_UP: i64 = 2_000_000_000;

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

/// Where a release on its way, or containers being added, have got to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every container is ready.
    Ready,
    /// These are not ready yet.
    Waiting(Vec<ContainerName>),
    /// This one will not become ready.
    Failed(ContainerName, Failure),
}

/// A wanted container that is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unready {
    /// Which.
    pub name: ContainerName,
    /// Why it will not become ready; none while it still may.
    pub failure: Option<Failure>,
}

/// Why a container will not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The kernel killed it for exceeding its memory limit.
    OutOfMemory,
    /// It ended by itself again and again.
    Crashed {
        /// Its last exit status.
        exit_code: i64,
    },
}

/// The containers of `wanted` that are not ready at `now` (Unix nanoseconds), in order; `is_ready` says what the publisher
/// reports of those with a port.
///
/// One that is ready is well, however often it ended before.
pub fn unready(
    wanted: &[Workload],
    containers: &[ContainerStatus],
    now: i64,
    is_ready: impl Fn(&ContainerStatus) -> bool,
) -> Vec<Unready> {
    let look = |workload: &Workload, number: u32| {
        let name = ContainerName { workload: workload.id.clone(), number };
        let Some(container) = containers.iter().find(|container| container.name == name) else {
            return Some(Unready { name, failure: None });
        };
        let ready = match workload.port {
            Some(_) => is_ready(container),
            None => has_stayed_up(container, now),
        };
        (!ready).then(|| Unready { name, failure: failure(container) })
    };
    let numbered = wanted.iter().flat_map(|workload| (1..=workload.replicas).map(move |n| (workload, n)));
    numbered.filter_map(|(workload, number)| look(workload, number)).collect()
}

impl Verdict {
    /// What the containers that are not ready say of all.
    pub fn of(unready: &[Unready]) -> Self {
        let failed = unready.iter().find_map(|found| Some((found.name.clone(), found.failure.clone()?)));
        match failed {
            Some((name, failure)) => Self::Failed(name, failure),
            None if unready.is_empty() => Self::Ready,
            None => Self::Waiting(unready.iter().map(|found| found.name.clone()).collect()),
        }
    }
}

fn failure(container: &ContainerStatus) -> Option<Failure> {
    let ended = container.restarts >= CRASHES_TO_FAIL
        || (container.state == ContainerState::Crashed && container.out_of_memory);
    match ended {
        false => None,
        true if container.out_of_memory => Some(Failure::OutOfMemory),
        true => Some(Failure::Crashed { exit_code: container.exit_code.unwrap_or_default() }),
    }
}

fn has_stayed_up(container: &ContainerStatus, now: i64) -> bool {
    container.state == ContainerState::Up && now.saturating_sub(container.started_at) >= STAY_UP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Environment, Limits, WorkloadId};

    /// `v2.web=3` as a workload of app `a`.
    fn workload(text: &str) -> Workload {
        let (id, replicas) = text.split_once('=').unwrap();
        let name = ContainerName::parse(&format!("a_{id}.1")).unwrap();
        let WorkloadId { process, .. } = &name.workload;
        Workload {
            port: process.is_routable().then_some(5000),
            id: name.workload,
            image: "image".to_owned(),
            command: Command::Image,
            environment: Environment::default(),
            limits: Limits::default(),
            tags: std::collections::BTreeMap::new(),
            replicas: replicas.parse().unwrap(),
            health_check: None,
            spread: crate::Spread::Replicas,
            host: None,
        }
    }

    /// `v2.web.1 up`, `v2.web.1 up restarts=3`, `v2.web.1 crashed oom`.
    fn container(text: &str) -> ContainerStatus {
        let mut words = text.split(' ');
        let name = ContainerName::parse(&format!("a_{}", words.next().unwrap())).unwrap();
        let state = match words.next().unwrap() {
            "up" => ContainerState::Up,
            "created" => ContainerState::Created,
            _ => ContainerState::Crashed,
        };
        let rest: Vec<&str> = words.collect();
        let restarts =
            rest.iter().find_map(|word| word.strip_prefix("restarts=")).map_or(0, |n| n.parse().unwrap());
        ContainerStatus {
            id: name.to_string(),
            name,
            state,
            address: None,
            health_check: None,
            restarts,
            started_at: 0,
            exit_code: Some(1),
            out_of_memory: rest.contains(&"oom"),
            trouble: None,
            misplaced: false,
            fingerprint: String::new(),
        }
    }

    fn check(wanted: &[&str], running: &[&str], apply: &[&str], retire: &[&str]) {
        let wanted: Vec<_> = wanted.iter().map(|text| workload(text)).collect();
        let running: Vec<_> = running.iter().map(|text| container(text)).collect();
        let found = plan(&wanted, &running);
        let applied: Vec<_> = found.apply.iter().map(|w| format!("{}={}", w.id, w.replicas)).collect();
        let retired: Vec<_> = found.retire.iter().map(ToString::to_string).collect();
        assert_eq!(applied, apply.iter().map(|text| format!("a_{text}")).collect::<Vec<_>>());
        assert_eq!(retired, retire.iter().map(|text| format!("a_{text}")).collect::<Vec<_>>());
    }

    #[test]
    fn missing_containers_are_applied() {
        check(&["v1.web=2"], &[], &["v1.web=2"], &[]);
        check(&["v1.web=2"], &["v1.web.1 up"], &["v1.web=2"], &[]);
        check(&["v1.web=1"], &["v1.web.1 created"], &["v1.web=1"], &[]);
        check(&["v1.web=1"], &["v1.web.1 crashed"], &["v1.web=1"], &[]);
    }

    #[test]
    fn a_finished_move_changes_nothing() {
        check(&["v1.web=2"], &["v1.web.1 up", "v1.web.2 up"], &[], &[]);
        check(&["v1.web=1"], &["v1.web.1 crashed restarts=2"], &[], &[]);
        check(&["v1.web=0"], &[], &[], &[]);
    }

    #[test]
    fn unwanted_containers_are_retired_but_never_jobs() {
        check(&["v1.web=1"], &["v1.web.1 up", "v1.web.2 up"], &[], &["v1.web.2"]);
        check(&["v2.web=1"], &["v1.web.1 up", "v2.web.1 up", "v2.run.1 up"], &[], &["v1.web.1"]);
        check(&[], &["v1.worker.1 up"], &[], &["v1.worker.1"]);
    }

    #[test]
    fn applying_never_shrinks() {
        check(&["v1.web=2"], &["v1.web.1 up", "v1.web.3 up"], &["v1.web=3"], &["v1.web.3"]);
    }

    fn verdict(wanted: &[&str], running: &[&str], ready: &[&str]) -> Verdict {
        let wanted: Vec<_> = wanted.iter().map(|text| workload(text)).collect();
        let running: Vec<_> = running.iter().map(|text| container(text)).collect();
        let is_ready = |found: &ContainerStatus| ready.iter().any(|name| found.name.short() == *name);
        Verdict::of(&unready(&wanted, &running, STAY_UP, is_ready))
    }

    #[test]
    fn a_release_is_ready_when_every_container_is() {
        assert_eq!(verdict(&["v1.web=1"], &["v1.web.1 up"], &["web.1"]), Verdict::Ready);
        assert_eq!(verdict(&["v1.worker=1"], &["v1.worker.1 up"], &[]), Verdict::Ready);
        assert!(
            matches!(verdict(&["v1.web=2"], &["v1.web.1 up"], &["web.1"]), Verdict::Waiting(names) if names.len() == 1)
        );
        assert!(matches!(verdict(&["v1.web=1"], &["v1.web.1 up restarts=2"], &[]), Verdict::Waiting(_)));
    }

    #[test]
    fn a_container_that_keeps_ending_fails_its_release() {
        let crashed = verdict(&["v1.web=1"], &["v1.web.1 up restarts=3"], &[]);
        assert!(matches!(crashed, Verdict::Failed(_, Failure::Crashed { exit_code: 1 })));
        let behind = verdict(&["v1.web=2"], &["v1.web.2 up restarts=3"], &[]);
        assert!(matches!(behind, Verdict::Failed(name, _) if name.number == 2));
        let killed = verdict(&["v1.web=1"], &["v1.web.1 crashed oom"], &[]);
        assert!(matches!(killed, Verdict::Failed(_, Failure::OutOfMemory)));
    }

    #[test]
    fn a_container_that_is_well_now_may_have_ended_before() {
        assert_eq!(verdict(&["v1.web=1"], &["v1.web.1 up restarts=9"], &["web.1"]), Verdict::Ready);
        assert_eq!(verdict(&["v1.worker=1"], &["v1.worker.1 up restarts=9"], &[]), Verdict::Ready);
    }
}
