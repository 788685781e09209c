//! Looking at a unit: what of it is up, whether it answers, and why not.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use deis_model::{ContainerState, Workload};
use deis_scheduler::SchedulerError;

use crate::control::Control;
use crate::unit::Unit;

use super::Rollout;

/// So many starts of a container that ended by itself each time mean that it never stays up.
const HOPELESS_RESTARTS: u32 = 5;

/// Lines of a container's output that explain why it ended.
const REASON_LINES: usize = 5;

/// What one look at a unit's containers showed.
#[derive(Default)]
pub(super) struct Look {
    /// Engine ids of those that are up and as described.
    pub(super) up: BTreeSet<String>,
    /// Their names.
    pub(super) names: Vec<String>,
    /// Whether others still are up that are to go.
    pub(super) has_others: bool,
    /// Whether one of them ended by itself too often.
    pub(super) is_hopeless: bool,
    /// Why nothing could be seen.
    pub(super) trouble: String,
}

impl Rollout<'_> {
    /// Waits until every controller answers: the next units ask them at once. Other units tell by staying up.
    pub(super) async fn await_answers(&self, unit: Unit) -> Result<(), String> {
        if unit != Unit::Controller || self.patience.answer.is_zero() {
            return Ok(());
        }
        for host in self.state.ready(unit) {
            let address = SocketAddr::new(host.address, unit.port().unwrap_or_default()).to_string();
            let begun = Instant::now();
            while let Err(error) = Control::answers(self.state, &address).await {
                if begun.elapsed() >= self.patience.answer {
                    return Err(format!(
                        "{address} does not answer: {error:#}; see `deisctl journal {unit}`"
                    ));
                }
                tokio::time::sleep(self.patience.poll).await;
            }
        }
        Ok(())
    }

    pub(super) async fn look(
        &self,
        unit: Unit,
        workload: &Workload,
        gone: &str,
    ) -> Result<Look, SchedulerError> {
        let fingerprint = workload.fingerprint();
        let mut look = Look::default();
        for found in self.found(unit).await? {
            let container = &found.container;
            let is_up = container.state == ContainerState::Up;
            if container.fingerprint != fingerprint || container.id == gone {
                look.has_others |= is_up;
            } else if is_up {
                look.up.insert(container.id.clone());
                look.names.push(found.name());
            } else {
                look.is_hopeless |= container.restarts >= HOPELESS_RESTARTS;
            }
        }
        Ok(look)
    }

    /// Why the unit is not up: what its containers said at last.
    pub(super) async fn explained(
        &self,
        unit: Unit,
        workload: &Workload,
        expected: usize,
        trouble: &str,
    ) -> String {
        if !trouble.is_empty() {
            return trouble.to_owned();
        }
        let found = self.found(unit).await.unwrap_or_default();
        let up = found.iter().filter(|found| found.is_up()).count();
        let mut reason = format!("{up} of {expected} are up; see `deisctl journal {unit}`");
        let fingerprint = workload.fingerprint();
        let fallen =
            found.iter().filter(|found| found.container.fingerprint == fingerprint && !found.is_up());
        for fallen in fallen.take(1) {
            if let Some(trouble) = &fallen.container.trouble {
                reason += &format!("\n  {} cannot start: {trouble}", fallen.name());
                continue;
            }
            let lines = self.fleet.engine.output.tail(&fallen.container.id, REASON_LINES).await;
            for line in lines.unwrap_or_default() {
                reason += &format!("\n  {}: {}", fallen.name(), crate::journal::plain(&line));
            }
        }
        reason
    }
}
