//! Restarting containers without a gap: a few at a time, each made anew while extra ones stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use deis_model::plan::Unready;
use deis_model::{ContainerName, ReleaseVersion, Workload, WorkloadId};

/// One in this many containers of a type is made anew at a time.
pub(crate) const BATCHES: u32 = 4;

/// A restart of some of an app's containers; nothing while there is none.
#[derive(Default)]
pub(super) struct Restart {
    /// Containers that wait for their turn.
    waiting: BTreeSet<ContainerName>,
    /// Containers off the routes, to be drained and removed.
    pub(super) replacing: BTreeSet<ContainerName>,
    /// Containers that were removed and are made anew.
    renewed: BTreeSet<ContainerName>,
    /// Extra containers of each workload that visitors reach.
    surge: BTreeMap<WorkloadId, u32>,
    /// When containers were last asked to start.
    since: Option<Instant>,
}

impl Restart {
    /// Adds `targets`, with extra containers for those among them that visitors reach.
    pub(super) fn queue(&mut self, targets: &[ContainerName]) {
        self.waiting.extend(targets.iter().filter(|name| !self.replacing.contains(*name)).cloned());
        let mut counts: BTreeMap<WorkloadId, u32> = BTreeMap::new();
        for name in self.waiting.iter().filter(|name| name.workload.process.is_routable()) {
            *counts.entry(name.workload.clone()).or_default() += 1;
        }
        for (workload, count) in counts {
            // Those that stand in for an earlier request's containers stay.
            let extra = self.surge.entry(workload).or_default();
            *extra = count.div_ceil(BATCHES).max(*extra);
        }
        self.since = Some(Instant::now());
    }

    /// Forgets containers of releases other than those that serve: they go anyway.
    pub(super) fn follow(&mut self, serving: &[ReleaseVersion]) {
        let serves = |name: &ContainerName| serving.contains(&name.workload.release);
        self.waiting.retain(serves);
        self.renewed.retain(serves);
        self.surge.retain(|workload, _| serving.contains(&workload.release));
    }

    /// Whether containers are still to be made anew.
    pub(super) fn is_under_way(&self) -> bool {
        !self.waiting.is_empty() || !self.replacing.is_empty()
    }

    /// Whether nothing is to be made anew, nor new, nor standing in.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_under_way() && self.renewed.is_empty() && self.surge.is_empty()
    }

    /// How many extra containers of `workload` stand in.
    pub(super) fn surge(&self, workload: &WorkloadId) -> u32 {
        self.surge.get(workload).copied().unwrap_or(0)
    }

    /// Notes that a container is gone and will be made anew.
    pub(super) fn note_removed(&mut self, name: &ContainerName) {
        if self.replacing.remove(name) {
            self.renewed.insert(name.clone());
            self.since = Some(Instant::now());
        }
    }

    /// Goes on with the next containers, ends, or gives up when new ones do not become ready within `patience`: those
    /// that still serve are then left alone. Whether that asks for another pass.
    pub(super) fn advance(&mut self, unready: &[Unready], serving: &[Workload], patience: Duration) -> bool {
        if self.is_at_rest() || !self.replacing.is_empty() {
            return false;
        }
        // Nobody needs to stand in for containers that serve nobody.
        let idle: BTreeSet<_> = self.waiting.iter().filter(|name| is_among(name, unready)).cloned().collect();
        if !idle.is_empty() {
            return self.replace(idle);
        }
        let starting: Vec<_> = unready.iter().filter(|found| self.started(&found.name, serving)).collect();
        let is_overdue = self.since.is_some_and(|since| since.elapsed() >= patience);
        let is_hopeless = starting.iter().any(|found| found.failure.is_some() || is_overdue);
        if is_hopeless || (starting.is_empty() && self.waiting.is_empty()) {
            self.end();
            return true;
        }
        starting.is_empty() && self.replace(self.next())
    }

    /// Leaves those alone that are still to be made anew, and lets the extra ones go.
    pub(super) fn end(&mut self) {
        *self = Self { replacing: std::mem::take(&mut self.replacing), ..Self::default() };
    }

    /// Whether this restart started the container: anew or as an extra one.
    fn started(&self, name: &ContainerName, serving: &[Workload]) -> bool {
        let surge = self.surge(&name.workload);
        let is_extra =
            |workload: &Workload| workload.id == name.workload && name.number + surge > workload.replicas;
        self.renewed.contains(name) || serving.iter().any(is_extra)
    }

    /// As many of those that wait as others stand in for; all of types without traffic.
    fn next(&self) -> BTreeSet<ContainerName> {
        let mut room = self.surge.clone();
        self.waiting.iter().filter(|name| has_room(&mut room, name)).cloned().collect()
    }

    fn replace(&mut self, names: BTreeSet<ContainerName>) -> bool {
        self.waiting.retain(|name| !names.contains(name));
        self.replacing = names;
        true
    }
}

fn is_among(name: &ContainerName, unready: &[Unready]) -> bool {
    unready.iter().any(|found| found.name == *name)
}

/// Whether one more of its workload may be away; those without traffic are not counted.
fn has_room(room: &mut BTreeMap<WorkloadId, u32>, name: &ContainerName) -> bool {
    match room.get_mut(&name.workload) {
        Some(left) => {
            let has = *left > 0;
            *left = left.saturating_sub(1);
            has
        }
        None => true,
    }
}

#[cfg(test)]
mod tests;
