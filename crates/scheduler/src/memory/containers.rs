//! The containers of the fake: what there is of each app, and where.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus, Workload, WorkloadId};

use super::Behaviour;
use crate::placement::{Held, surplus};

/// How often reluctant containers are looked at before they start.
const RELUCTANCE: u32 = 10;

/// What is said of a container that its host cannot start.
const TROUBLE: &str = "failed to set up container networking";

/// Names hosts that take work and carry the labels.
type Carrying<'a> = &'a dyn Fn(&BTreeMap<String, String>) -> Vec<String>;

/// Pretended containers by app, and what numbers them.
#[derive(Default)]
pub(super) struct Containers {
    apps: BTreeMap<AppId, BTreeMap<ContainerName, Pretended>>,
    made: u64,
}

struct Pretended {
    status: ContainerStatus,
    behaviour: Behaviour,
    /// How often it was looked at.
    looks: u32,
    /// What its host must carry.
    tags: BTreeMap<String, String>,
    /// The host of the cluster that it is on, if there is a cluster.
    host: Option<String>,
}

impl Containers {
    /// Makes what `workload` lacks on `hosts` and removes what it has too much; answers whether anything changed.
    pub(super) fn apply(&mut self, workload: &Workload, replicas: u32, hosts: &[String]) -> bool {
        let fingerprint = workload.fingerprint();
        let removed = self
            .remove(&workload.id, |found| found.name.number > replicas || found.fingerprint != fingerprint);
        let mut containers = self.apps.remove(&workload.id.app).unwrap_or_default();
        let before = containers.len();
        for number in 1..=replicas {
            let name = ContainerName { workload: workload.id.clone(), number };
            containers.entry(name.clone()).or_insert_with(|| self.make(name, workload, &fingerprint, hosts));
        }
        let added = containers.len() != before;
        if !containers.is_empty() {
            self.apps.insert(workload.id.app.clone(), containers);
        }
        removed || added
    }

    /// Removes those of `workload` that are `gone`; answers whether there were any.
    pub(super) fn remove(&mut self, workload: &WorkloadId, gone: impl Fn(&ContainerStatus) -> bool) -> bool {
        let Some(containers) = self.apps.get_mut(&workload.app) else { return false };
        let before = containers.len();
        containers.retain(|name, found| name.workload != *workload || !gone(&found.status));
        let changed = containers.len() != before;
        if containers.is_empty() {
            self.apps.remove(&workload.app);
        }
        changed
    }

    /// What there is of `app`, or of all; `carrying` names hosts of the cluster.
    pub(super) fn observe(&mut self, app: Option<&AppId>, carrying: Carrying) -> Vec<ContainerStatus> {
        match app {
            Some(app) => {
                self.apps.get_mut(app).map_or(Vec::new(), |containers| look_at(containers, carrying))
            }
            None => self.apps.values_mut().flat_map(|containers| look_at(containers, carrying)).collect(),
        }
    }

    /// The container that the engine calls `id`.
    pub(super) fn find(&self, id: &str) -> Option<&ContainerStatus> {
        self.all().map(|found| &found.status).find(|found| found.id == id)
    }

    /// The hosts of those that are on hosts of a cluster, by id.
    pub(super) fn placements(&self) -> BTreeMap<String, String> {
        self.all().filter_map(|found| Some((found.status.id.clone(), found.host.clone()?))).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Pretended> {
        self.apps.values().flat_map(BTreeMap::values)
    }

    /// On one of `hosts`, by its number.
    fn make(
        &mut self,
        name: ContainerName,
        workload: &Workload,
        fingerprint: &str,
        hosts: &[String],
    ) -> Pretended {
        self.made += 1;
        let behaviour = Behaviour::of(&workload.image);
        let state = match behaviour {
            Behaviour::Crashes => ContainerState::Crashed,
            Behaviour::Stuck | Behaviour::Reluctant => ContainerState::Created,
            Behaviour::Missing | Behaviour::Fails | Behaviour::Well => ContainerState::Up,
        };
        let turn = usize::try_from(name.number - 1).unwrap_or(0).checked_rem(hosts.len());
        let host = turn.and_then(|turn| hosts.get(turn)).cloned();
        let status = ContainerStatus {
            name,
            id: format!("{:064x}", self.made),
            state,
            address: workload.port.map(|_| fake_address(self.made)),
            health_check: workload.health_check.clone(),
            restarts: 0,
            started_at: now(),
            exit_code: (state == ContainerState::Crashed).then_some(1),
            out_of_memory: false,
            trouble: (state == ContainerState::Created).then(|| TROUBLE.to_owned()),
            misplaced: false,
            fingerprint: fingerprint.to_owned(),
        };
        Pretended { status, behaviour, looks: 0, tags: workload.tags.clone(), host }
    }
}

impl Pretended {
    fn look(&mut self) -> ContainerStatus {
        self.looks = self.looks.saturating_add(1);
        match self.behaviour {
            Behaviour::Crashes => self.status.restarts = self.looks,
            Behaviour::Reluctant if self.looks == RELUCTANCE => {
                self.status.state = ContainerState::Up;
                self.status.trouble = None;
            }
            _ => {}
        }
        let address = self.status.address.filter(|_| self.status.state == ContainerState::Up);
        ContainerStatus { address, ..self.status.clone() }
    }
}

/// The containers of one app as they are told of.
fn look_at(containers: &mut BTreeMap<ContainerName, Pretended>, carrying: Carrying) -> Vec<ContainerStatus> {
    let misplaced = misplaced(containers, carrying);
    let told = containers.values_mut().map(Pretended::look);
    told.map(|one| ContainerStatus { misplaced: misplaced.contains(&one.name), ..one }).collect()
}

fn misplaced(containers: &BTreeMap<ContainerName, Pretended>, carrying: Carrying) -> Vec<ContainerName> {
    let mut workloads: BTreeMap<&WorkloadId, Vec<&Pretended>> = BTreeMap::new();
    for (name, found) in containers.iter().filter(|(_, found)| found.host.is_some()) {
        workloads.entry(&name.workload).or_default().push(found);
    }
    let surplus = workloads.into_iter().filter_map(|(workload, group)| {
        let up = group.iter().filter(|found| found.status.state == ContainerState::Up);
        let placed: Vec<Held> = up.filter_map(|found| found.held()).collect();
        let number = surplus(&placed, group.len(), &carrying(&group.first()?.tags))?;
        Some(ContainerName { workload: workload.clone(), number })
    });
    surplus.collect()
}

impl Pretended {
    fn held(&self) -> Option<Held> {
        Some(Held { number: self.status.name.number, host: self.host.clone()? })
    }
}

fn fake_address(number: u64) -> SocketAddr {
    let port = 20_000 + u16::try_from(number % 40_000).expect("below 40,000");
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}
