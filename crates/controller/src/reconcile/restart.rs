//! Restarting containers without a gap: a few at a time, each made anew while extra ones stand in.

use std::collections::BTreeMap;

use deis_model::plan::Verdict;
use deis_model::{ContainerName, ProcessType, Workload};

use super::app_state::Memory;

/// One in this many containers of a type is made anew at a time.
const BATCHES: u32 = 4;

/// Whether one more of its type may be away; types without traffic are not counted.
fn has_room(room: &mut BTreeMap<ProcessType, u32>, name: &ContainerName) -> bool {
    match room.get_mut(&name.workload.process) {
        Some(left) => {
            let has = *left > 0;
            *left = left.saturating_sub(1);
            has
        }
        None => true,
    }
}

impl Memory {
    /// Takes the next containers that wait for a restart, once all others are ready; the extra ones go last.
    /// Whether that asks for another pass.
    pub(super) fn advance_restart(&mut self, verdict: &Verdict, deployed: &[Workload]) -> bool {
        self.restarting.retain(|name| deployed.iter().any(|workload| workload.id == name.workload));
        if !self.replacing.is_empty() || !matches!(verdict, Verdict::Ready) {
            return false;
        }
        if self.restarting.is_empty() {
            return !std::mem::take(&mut self.surge).is_empty();
        }
        let mut room = self.surge.clone();
        let waiting = std::mem::take(&mut self.restarting);
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|name| has_room(&mut room, name));
        self.replacing = now.into_iter().collect();
        self.restarting = later.into();
        true
    }

    /// Queues `targets` for a restart, with extra containers for the routable types among them.
    pub(super) fn queue_restart(&mut self, targets: &[ContainerName]) {
        for name in targets {
            if !self.restarting.contains(name) && !self.replacing.contains(name) {
                self.restarting.push_back(name.clone());
            }
        }
        let mut counts: BTreeMap<ProcessType, u32> = BTreeMap::new();
        for name in targets.iter().filter(|name| name.workload.process.is_routable()) {
            *counts.entry(name.workload.process.clone()).or_default() += 1;
        }
        self.surge = counts.into_iter().map(|(process, count)| (process, count.div_ceil(BATCHES))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ContainerName {
        ContainerName::parse(&format!("a_v1.{text}")).unwrap()
    }

    #[test]
    fn one_extra_container_stands_in_for_each_that_is_away() {
        let mut memory = Memory::default();
        let targets: Vec<_> = (1..=5).map(|number| name(&format!("web.{number}"))).collect();
        memory.queue_restart(&targets);
        assert_eq!(memory.surge.get(&ProcessType::web()), Some(&2));
        let mut room = memory.surge.clone();
        let taken = targets.iter().filter(|target| has_room(&mut room, target)).count();
        assert_eq!(taken, 2);
    }

    #[test]
    fn types_without_traffic_restart_all_at_once() {
        let mut memory = Memory::default();
        memory.queue_restart(&[name("worker.1"), name("worker.2")]);
        assert!(memory.surge.is_empty());
        let mut room = memory.surge.clone();
        assert!(has_room(&mut room, &name("worker.1")) && has_room(&mut room, &name("worker.2")));
    }
}
