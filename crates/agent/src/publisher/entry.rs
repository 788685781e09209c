//! One running container with a port, and how it was judged.

use std::net::SocketAddr;
use std::time::Duration;

use deis_api::internal::ReportedEndpoint;
use deis_model::{ContainerStatus, HealthCheck};
use tokio::time::Instant;

/// Waits between probes of a container that does not serve yet.
const FIRST_WAIT: Duration = Duration::from_millis(50);
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Wait between probes of a container that serves.
const STEADY_WAIT: Duration = Duration::from_secs(5);

/// So many failures in a row withdraw a container that served.
const FAILURES: u32 = 3;

/// A container between its probes.
pub(super) struct Entry {
    pub(super) container: ContainerStatus,
    pub(super) address: SocketAddr,
    pub(super) judgement: Option<Judgement>,
    /// In a row, since the last success.
    failures: u32,
    /// Whether it ran before we did: then it may serve visitors, and one failure says nothing.
    pub(super) found: bool,
    pub(super) next_probe: Instant,
    wait: Duration,
    pub(super) probing: bool,
}

/// Whether it serves, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    ready: bool,
    reason: Option<String>,
}

impl Entry {
    /// One that is not judged yet; `found` if it ran before we did.
    pub(super) fn new(
        container: ContainerStatus,
        address: SocketAddr,
        found: bool,
        now: Instant,
        wall: i64,
    ) -> Self {
        let delay = container.health_check.as_ref().map(HealthCheck::initial_delay).unwrap_or_default();
        let age = Duration::from_nanos(u64::try_from(wall - container.started_at).unwrap_or(0));
        Self {
            container,
            address,
            judgement: None,
            failures: 0,
            found,
            next_probe: now + delay.saturating_sub(age),
            wait: FIRST_WAIT,
            probing: false,
        }
    }

    /// Takes note of how a probe ended. Answers whether the report changes.
    pub(super) fn conclude(&mut self, outcome: Result<(), String>, now: Instant) -> bool {
        self.probing = false;
        self.failures = if outcome.is_ok() { 0 } else { self.failures + 1 };
        self.wait = self.next_wait();
        self.next_probe = now + self.wait;
        let judgement = match outcome {
            Ok(()) => Judgement { ready: true, reason: None },
            // It served, or may have: patience.
            Err(_) if self.may_serve() && self.failures < FAILURES => return false,
            Err(reason) => Judgement { ready: false, reason: Some(reason) },
        };
        self.judgement.replace(judgement.clone()) != Some(judgement)
    }

    fn may_serve(&self) -> bool {
        self.judgement.as_ref().map_or(self.found, |judgement| judgement.ready)
    }

    fn next_wait(&self) -> Duration {
        match self.failures {
            0 => STEADY_WAIT,
            _ if self.may_serve() => LONGEST_WAIT,
            1 => FIRST_WAIT,
            _ => (self.wait * 3 / 2).min(LONGEST_WAIT),
        }
    }

    /// What to report of it; none before it is judged.
    pub(super) fn report(&self) -> Option<ReportedEndpoint> {
        let judgement = self.judgement.clone()?;
        Some(ReportedEndpoint {
            container: self.container.name.clone(),
            id: self.container.id.clone(),
            address: self.address,
            ready: judgement.ready,
            reason: judgement.reason,
        })
    }
}
