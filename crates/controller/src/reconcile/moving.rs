//! Moving containers to better hosts: after a lost host came back, say, where one has several of an app and another none.
//!
//! A move is a restart of one container, with another that stands in for it. Nothing is urgent about it: one at a time,
//! only while the app is well, after a pause that doubles while moves leave something misplaced.

use std::time::{Duration, Instant};

use deis_model::plan::{Verdict, wants};
use deis_model::{ContainerName, ContainerStatus, Desired, ProcessType};
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

use super::Reconciler;
use super::app_state::Memory;
use super::deployed::Deployed;
use super::next::Next;
use super::standing::Refusal;

/// How many apps have a container moved at the same time: a host that comes back is not to be overrun.
pub(super) const MOVES: usize = 4;

/// How soon to look again whether others have ended their moves.
const TURN_LOOK: Duration = Duration::from_secs(15);

/// The pause doubles at most so often.
const DOUBLINGS: u32 = 6;

/// Whether a container of an app is to be moved, and when.
#[derive(Default)]
pub(super) struct Moving {
    /// Since when a container has been misplaced and everything else well.
    since: Option<Instant>,
    /// How many moves in a row have left something misplaced.
    in_vain: u32,
    /// Held during a move.
    turn: Option<OwnedSemaphorePermit>,
}

impl Moving {
    /// How long to wait, of an app that is well, before its container is moved; none if it has none to move.
    fn wait(&mut self, is_misplaced: bool, now: Instant, pause: Duration) -> Option<Duration> {
        self.turn = None;
        if !is_misplaced {
            *self = Self::default();
            return None;
        }
        let due = *self.since.get_or_insert(now) + pause * (1 << self.in_vain);
        Some(due.saturating_duration_since(now))
    }

    /// Notes that a move begins.
    fn begin(&mut self, turn: OwnedSemaphorePermit) {
        *self = Self { since: None, in_vain: DOUBLINGS.min(self.in_vain + 1), turn: Some(turn) };
    }

    /// Notes that something else goes on; the move itself has ended if nothing is being made anew.
    fn put_off(&mut self, has_ended: bool) {
        self.since = None;
        if has_ended {
            self.turn = None;
        }
    }
}

impl Reconciler {
    /// Has a misplaced container of an app that is well made anew; when to look again.
    pub(super) fn move_misplaced(
        &self,
        desired: &Desired,
        deployed: &Deployed,
        containers: &[ContainerStatus],
        verdict: &Verdict,
        refusal: Option<&Refusal>,
        memory: &mut Memory,
    ) -> Next {
        // What is there and not wanted, or just going, would count as a place that is taken.
        let is_wanted = |found: &ContainerStatus| {
            found.name.workload.process == ProcessType::run()
                || deployed.serving().any(|workload| wants(std::slice::from_ref(workload), &found.name))
        };
        let is_at_rest = memory.restart.is_at_rest()
            && memory.draining.is_empty()
            && self.state(&desired.app).removing_now().is_empty()
            && containers.iter().all(is_wanted);
        let is_well = *verdict == Verdict::Ready && refusal.is_none() && desired.under_way().is_none();
        if !is_at_rest || !is_well {
            memory.moving.put_off(memory.restart.is_at_rest());
            return Next::SETTLED;
        }
        let is_own = |found: &&ContainerStatus| found.misplaced && wants(&deployed.workloads, &found.name);
        let misplaced = containers.iter().find(is_own).map(|found| &found.name);
        let wait = memory.moving.wait(misplaced.is_some(), Instant::now(), self.shared.settings.move_pause);
        match (misplaced, wait) {
            (Some(name), Some(Duration::ZERO)) => self.move_in_turn(name, memory),
            (_, Some(wait)) => Next::after(wait),
            (_, None) => Next::SETTLED,
        }
    }

    fn move_in_turn(&self, name: &ContainerName, memory: &mut Memory) -> Next {
        let Ok(turn) = self.shared.moves.clone().try_acquire_owned() else {
            return Next::after(TURN_LOOK);
        };
        info!(container = %name, "moving a container to a host that has none of its kind");
        memory.moving.begin(turn);
        memory.restart.queue(std::slice::from_ref(name));
        Next::NOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(60);

    fn after(minutes: u64) -> impl Fn(Instant) -> Instant {
        move |start| start + Duration::from_secs(60 * minutes)
    }

    async fn turn() -> OwnedSemaphorePermit {
        std::sync::Arc::new(tokio::sync::Semaphore::new(1)).acquire_owned().await.unwrap()
    }

    #[test]
    fn an_app_must_be_well_for_a_while_before_a_container_moves() {
        let (start, mut moving) = (Instant::now(), Moving::default());
        assert_eq!(moving.wait(true, start, PAUSE), Some(PAUSE));
        moving.put_off(true);
        assert_eq!(moving.wait(true, after(1)(start), PAUSE), Some(PAUSE));
        assert_eq!(moving.wait(true, after(2)(start), PAUSE), Some(Duration::ZERO));
        assert_eq!(moving.wait(false, after(2)(start), PAUSE), None);
        assert_eq!(moving.wait(true, after(3)(start), PAUSE), Some(PAUSE), "another one");
    }

    #[tokio::test]
    async fn moves_that_are_in_vain_become_rare() {
        let (start, mut moving) = (Instant::now(), Moving::default());
        for expected in [1, 2, 4, 8, 16, 32, 64, 64] {
            assert_eq!(moving.wait(true, start, PAUSE), Some(PAUSE * expected));
            moving.begin(turn().await);
        }
        assert_eq!(moving.wait(false, start, PAUSE), None);
        assert_eq!(moving.wait(true, start, PAUSE), Some(PAUSE));
    }
}
