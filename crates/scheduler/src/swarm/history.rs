//! What the tasks that followed each other in one place say of the container there: decisions only.
//!
//! Docker Swarm never starts a container again, it makes another task; a restart is a task before the present one that
//! ended by itself. One that a host turned away never ran: that is trouble, and no restart.

use std::net::{IpAddr, SocketAddr};

use bollard::models::{Task, TaskState};

use deis_model::{ContainerName, ContainerState, ContainerStatus};

use super::trouble::{is_turned_away, trouble};
use crate::docker::nanoseconds;
use crate::labels;

/// The exit status of a process that was killed.
const KILLED: i64 = 137;

/// What engines answer for a container that could not be started.
const NOT_STARTED: i64 = 125;

/// How much later than its successor's making the end of a task may be told, in nanoseconds: hosts' clocks differ a
/// little. A task that ended later than this was given up with its host and did not end by itself.
const CLOCKS_DIFFER: i64 = 2_000_000_000;

/// The container `name`, of which `tasks` are all there are; none if nothing of it is wanted any more.
///
/// `address` says where a host is reached that is there, `on_host_network` whether the container's port is one of the
/// host's.
pub(super) fn tell(
    name: ContainerName,
    tasks: &[&Task],
    on_host_network: bool,
    address: impl Fn(&str) -> Option<IpAddr>,
) -> Option<ContainerStatus> {
    let mut tasks = tasks.to_vec();
    tasks.sort_by_key(|task| std::cmp::Reverse(created(task)));
    let present = tasks.iter().position(|task| is_wanted(task));
    let is_last = |task: &&Task| ended_by_itself(task) || is_turned_away(task);
    let present = present.or_else(|| tasks.iter().position(is_last))?;
    let task = tasks[present];
    let ended: Vec<&Task> = ends(&tasks[present..]);
    let last = ended.first();
    let host = task.node_id.as_deref().and_then(address);
    let state = match state(task, last.map(|task| exit_code(task))) {
        // Its host was not heard of, and nobody knows what became of it.
        ContainerState::Up if host.is_none() => ContainerState::Error,
        state => state,
    };
    let labels = container_labels(task);
    let port = labels::port(&labels).filter(|_| state == ContainerState::Up);
    let port = port.and_then(|port| if on_host_network { Some(port) } else { published(task) });
    let runs = state_of(task) == Some(TaskState::RUNNING);
    let restarts = ended.iter().filter(|ended| ended.id != task.id).count();
    Some(ContainerStatus {
        name,
        id: container_id(task).or_else(|| task.id.clone())?,
        state,
        address: host.zip(port).map(|(host, port)| SocketAddr::new(host, port)),
        health_check: labels::health_check(&labels),
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        started_at: if runs { told(task) } else { created(task) },
        exit_code: last.map(|task| exit_code(task)),
        out_of_memory: last.is_some_and(|task| was_out_of_memory(task)),
        trouble: last_attempts(&tasks[present..]).find_map(trouble).filter(|_| !runs),
        misplaced: false,
        fingerprint: fingerprint(task).to_owned(),
    })
}

/// Whether the task will not run any more.
pub(super) fn is_over(task: &Task) -> bool {
    use TaskState::{COMPLETE, FAILED, ORPHANED, REJECTED, REMOVE, SHUTDOWN};
    matches!(state_of(task), Some(COMPLETE | FAILED | ORPHANED | REJECTED | REMOVE | SHUTDOWN))
}

/// Whether it is over without having been asked to end; one that its host turned away never began.
pub(super) fn ended_by_itself(task: &Task) -> bool {
    matches!(state_of(task), Some(TaskState::COMPLETE | TaskState::FAILED)) && !is_turned_away(task)
}

/// What the task is doing.
pub(super) fn state_of(task: &Task) -> Option<TaskState> {
    task.status.as_ref()?.state
}

/// The exit status of a task that ended by itself.
pub(super) fn exit_code(task: &Task) -> i64 {
    let status = task.status.as_ref().and_then(|status| status.container_status.as_ref());
    let code = status.and_then(|status| status.exit_code).unwrap_or(0);
    // One that ended with 0 is complete: this one never ran.
    if code == 0 && state_of(task) != Some(TaskState::COMPLETE) { NOT_STARTED } else { code }
}

/// The engine's id of the task's container; none before there is one.
pub(super) fn container_id(task: &Task) -> Option<String> {
    let container = task.status.as_ref()?.container_status.as_ref()?;
    container.container_id.clone().filter(|id| !id.is_empty())
}

/// Of the workload that the task was made from.
pub(super) fn fingerprint(task: &Task) -> &str {
    let container = task.spec.as_ref().and_then(|spec| spec.container_spec.as_ref());
    let labels = container.and_then(|container| container.labels.as_ref());
    labels.map_or("", |labels| labels::text(labels, labels::FINGERPRINT))
}

/// When its state was told last: Unix time in nanoseconds.
pub(super) fn told(task: &Task) -> i64 {
    let status = task.status.as_ref().and_then(|status| status.timestamp.as_deref());
    status.map_or(0, nanoseconds)
}

/// When it was made: Unix time in nanoseconds.
pub(super) fn created(task: &Task) -> i64 {
    task.created_at.as_deref().map_or(0, nanoseconds)
}

fn is_wanted(task: &Task) -> bool {
    matches!(task.desired_state, Some(TaskState::RUNNING | TaskState::READY)) && !is_over(task)
}

/// The first of `tasks` and the one before it, if that was made from the same description: while another attempt is
/// prepared, what became of the last one is what there is to say.
fn last_attempts<'a>(tasks: &[&'a Task]) -> impl Iterator<Item = &'a Task> {
    let same = fingerprint(tasks[0]);
    tasks.iter().take(2).copied().filter(move |task| fingerprint(task) == same)
}

/// Those of `tasks`, newest first, that ended by themselves and were made from the same description as the first.
fn ends<'a>(tasks: &[&'a Task]) -> Vec<&'a Task> {
    let same = |task: &Task| fingerprint(task) == fingerprint(tasks[0]);
    let successor = std::iter::once(None).chain(tasks.iter().copied().map(Some));
    let ended = tasks.iter().copied().zip(successor).filter(|(task, successor)| {
        let in_time = successor.is_none_or(|successor| told(task) <= created(successor) + CLOCKS_DIFFER);
        ended_by_itself(task) && same(task) && in_time
    });
    ended.map(|(task, _)| task).collect()
}

fn state(task: &Task, last_exit: Option<i64>) -> ContainerState {
    match (state_of(task), last_exit) {
        (Some(TaskState::RUNNING), _) => ContainerState::Up,
        _ if ended_by_itself(task) => ContainerState::Crashed,
        (_, None) => ContainerState::Created,
        (_, Some(0)) => ContainerState::Down,
        (_, Some(_)) => ContainerState::Crashed,
    }
}

/// Docker Swarm does not tell why a container was killed. One with a memory limit that nobody asked to end was, as good
/// as always, killed for exceeding it.
fn was_out_of_memory(task: &Task) -> bool {
    let resources = task.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let limit = resources.and_then(|resources| resources.limits.as_ref()?.memory_bytes);
    exit_code(task) == KILLED && limit.is_some_and(|limit| limit > 0)
}

fn published(task: &Task) -> Option<u16> {
    let ports = task.status.as_ref()?.port_status.as_ref()?.ports.as_ref()?;
    ports.iter().find_map(|port| u16::try_from(port.published_port?).ok())
}

fn container_labels(task: &Task) -> std::collections::HashMap<String, String> {
    let container = task.spec.as_ref().and_then(|spec| spec.container_spec.as_ref());
    container.and_then(|container| container.labels.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
