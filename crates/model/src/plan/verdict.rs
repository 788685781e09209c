//! Whether containers get ready: what is said of a release on its way.

use crate::{ContainerName, ContainerState, ContainerStatus, Workload};

/// How often a container may end by itself before its release counts as failed.
pub const CRASHES_TO_FAIL: u32 = 3;

/// How long a container without a port must stay up to count as ready, in nanoseconds.
pub const STAY_UP: i64 = 2_000_000_000;

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
