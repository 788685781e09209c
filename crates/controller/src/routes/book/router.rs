//! How far one router has followed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use deis_api::internal::RoutesRequest;
use deis_model::ContainerName;

/// A router that holds no request and has not asked for this long is taken for gone; nobody waits for it.
const ROUTER_LEASE: Duration = Duration::from_secs(3);

/// What is known of one router.
pub(super) struct RouterState {
    applied: u64,
    drained: u64,
    /// Containers that had left by `applied` with requests under way; none if the router could not list them.
    draining: Option<BTreeSet<ContainerName>>,
    asking: u32,
    last_asked: Instant,
}

impl RouterState {
    /// One that has said nothing yet.
    pub(super) fn new() -> Self {
        Self { applied: 0, drained: 0, draining: None, asking: 0, last_asked: Instant::now() }
    }

    /// It asks: live until it is answered.
    pub(super) fn asks(&mut self) {
        self.asking += 1;
    }

    /// It was answered, or the connection broke.
    pub(super) fn answered(&mut self) {
        self.asking = self.asking.saturating_sub(1);
        self.last_asked = Instant::now();
    }

    /// Takes what the router says. It may ask twice at a time, and the older request arrive last.
    pub(super) fn note(&mut self, request: &RoutesRequest) {
        let said = request.draining.as_ref().map(|names| names.iter().cloned().collect::<BTreeSet<_>>());
        self.draining = match (self.draining.take(), said) {
            (_, said) if request.applied > self.applied => said,
            (held, _) if request.applied < self.applied => held,
            // By one and the same table, containers only ever stop draining.
            (Some(held), Some(said)) => Some(&held & &said),
            (held, said) => held.or(said),
        };
        self.applied = self.applied.max(request.applied);
        self.drained = self.drained.max(request.drained);
    }

    /// Whether it serves by `generation` or a later one.
    pub(super) fn has_applied(&self, generation: u64) -> bool {
        self.applied >= generation
    }

    /// Whether no request is under way to `container`, which had left by `generation`.
    pub(super) fn has_drained(&self, container: &ContainerName, generation: u64) -> bool {
        let is_listed = |names: &BTreeSet<ContainerName>| names.contains(container);
        self.drained >= generation
            || (self.applied >= generation && self.draining.as_ref().is_some_and(|names| !is_listed(names)))
    }

    /// Whether it is there, as far as is known.
    pub(super) fn is_live(&self) -> bool {
        self.asking > 0 || self.last_asked.elapsed() < ROUTER_LEASE
    }
}
