//! Why a task has not started, or could not: what its host or the managers say, in the words of one engine.

use bollard::models::{Task, TaskState};

use super::failure::refused;
use super::history::state_of;
use crate::SchedulerError;
use crate::error::is_hosts_trouble;

/// Words are cut after so many characters: they may quote what an app brought.
const LIMIT: usize = 500;

/// What is said of a task whose container ran.
const RAN: &str = "started";

/// How hosts begin what they say of a container that ran and ended.
const ENDED: &str = "task: non-zero exit";

/// How hosts begin what they say of a container that they made and could not start.
const NOT_STARTED: &str = "starting container failed: ";

/// What hosts say of an image that they neither have nor find.
const NO_IMAGE: &str = "No such image";

/// What managers say when they find no place for a task, and what people call it.
const NO_PLACE: (&str, &str) = ("no suitable node", "no host can take it");

/// Why the task does not run, unless it runs or ended by itself.
pub(super) fn trouble(task: &Task) -> Option<String> {
    let reason = words(task)?;
    match reason.contains(NO_IMAGE) {
        true => Some(no_image(task, reason).to_string()),
        false => Some(reason),
    }
}

/// Whether its host could not run it for a reason that is not the app's: it never started, and another attempt is made,
/// there or elsewhere.
pub(super) fn is_turned_away(task: &Task) -> bool {
    match state_of(task) {
        Some(TaskState::REJECTED) => true,
        Some(TaskState::FAILED) => words(task).is_some_and(|words| is_hosts_trouble(&words)),
        _ => false,
    }
}

/// The same as the error of whoever wanted `subject` to start.
pub(super) fn refusal(subject: &str, task: &Task) -> Option<SchedulerError> {
    let reason = words(task)?;
    match reason.contains(NO_IMAGE) {
        true => Some(no_image(task, reason)),
        false => Some(refused("start container", subject, reason)),
    }
}

/// What was said of the task at last, in whatever state it is.
pub(super) fn last_message(task: &Task) -> String {
    let status = task.status.as_ref();
    let error = status.and_then(|status| status.err.as_deref()).filter(|error| !error.is_empty());
    let message = error.or_else(|| status?.message.as_deref());
    plain(message.unwrap_or("it does not say why"))
}

fn words(task: &Task) -> Option<String> {
    let status = task.status.as_ref()?;
    let error = status.err.as_deref().filter(|error| !error.is_empty())?;
    let ran = status.message.as_deref() == Some(RAN) || error.starts_with(ENDED);
    let is_ended = matches!(
        state_of(task)?,
        TaskState::RUNNING
            | TaskState::COMPLETE
            | TaskState::SHUTDOWN
            | TaskState::ORPHANED
            | TaskState::REMOVE
    );
    (!ran && !is_ended).then(|| plain(error.strip_prefix(NOT_STARTED).unwrap_or(error)))
}

fn no_image(task: &Task, reason: String) -> SchedulerError {
    let container = task.spec.as_ref().and_then(|spec| spec.container_spec.as_ref());
    let image = container.and_then(|container| container.image.clone()).unwrap_or_default();
    SchedulerError::NoImage { image, reason }
}

/// On one line, and not too long.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(NO_PLACE.0, NO_PLACE.1);
    line.chars().take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use bollard::models::{TaskSpec, TaskSpecContainerSpec, TaskStatus};

    use super::*;

    fn task(state: TaskState, message: &str, error: &str) -> Task {
        let container = TaskSpecContainerSpec { image: Some("blog:v2".to_owned()), ..Default::default() };
        Task {
            spec: Some(TaskSpec { container_spec: Some(container), ..Default::default() }),
            status: Some(TaskStatus {
                state: Some(state),
                message: Some(message.to_owned()),
                err: Some(error.to_owned()).filter(|error| !error.is_empty()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn check(state: TaskState, message: &str, error: &str, expected: Option<&str>) {
        assert_eq!(trouble(&task(state, message, error)).as_deref(), expected, "{error}");
    }

    #[test]
    fn what_keeps_a_task_from_running_is_told_in_the_words_of_one_engine() {
        let image = "No such image: blog:v2";
        let told = "image blog:v2 was not found: No such image: blog:v2";
        check(TaskState::REJECTED, "preparing", image, Some(told));
        check(TaskState::REJECTED, "preparing", "network a not found\n", Some("network a not found"));
        let failed = "starting container failed: exec: \"a\": not found";
        check(TaskState::FAILED, "starting", failed, Some("exec: \"a\": not found"));
        let nowhere = "no suitable node (insufficient resources on 3 nodes)";
        let told = "no host can take it (insufficient resources on 3 nodes)";
        check(TaskState::PENDING, "pending task scheduling", nowhere, Some(told));
    }

    #[test]
    fn a_host_in_trouble_turns_tasks_away_and_a_bad_command_fails() {
        let check = |state, error, expected| {
            assert_eq!(is_turned_away(&task(state, "starting", error)), expected, "{error}");
        };
        check(TaskState::REJECTED, "No such image: blog:v2", true);
        let network =
            "starting container failed: driver failed programming external connectivity on endpoint a";
        check(TaskState::FAILED, network, true);
        check(TaskState::FAILED, "starting container failed: exec: \"a\": not found", false);
        check(TaskState::FAILED, "task: non-zero exit (3)", false);
        check(TaskState::RUNNING, "", false);
    }

    #[test]
    fn what_ran_is_in_no_trouble() {
        check(TaskState::RUNNING, "started", "", None);
        check(TaskState::FAILED, "started", "task: non-zero exit (3)", None);
        check(TaskState::FAILED, "started", "No such container: ab12", None);
        check(TaskState::COMPLETE, "finished", "", None);
        check(TaskState::PENDING, "pending task scheduling", "", None);
    }

    #[test]
    fn words_are_bounded() {
        let told = trouble(&task(TaskState::REJECTED, "preparing", &"é".repeat(2 * LIMIT)));
        assert_eq!(told.map(|told| told.chars().count()), Some(LIMIT));
    }
}
