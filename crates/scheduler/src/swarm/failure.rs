//! What a manager's errors mean.

use bollard::errors::Error;

use super::Swarm;
use crate::SchedulerError;
use crate::docker::words;

/// Words of a manager that cannot reach enough others, or the leader, for the moment.
const NO_QUORUM: [&str; 5] =
    ["does not have a leader", "code = Unavailable", "deadline exceeded", "DeadlineExceeded", "lost leader"];

/// Words of an engine that is not a manager.
const NO_MANAGER: [&str; 2] = ["This node is not a swarm manager", "not part of a swarm"];

/// Words of a manager to whom somebody else came first.
const OUTDATED: &str = "update out of sequence";

impl Swarm {
    /// `error` as it came from trying to `action` (as in "create service") `subject`.
    pub(super) fn failed(&self, action: &'static str, subject: &str, error: &Error) -> SchedulerError {
        let reason = words(error).unwrap_or_default();
        if says(&reason, &NO_MANAGER) {
            return SchedulerError::NoManager;
        }
        if says(&reason, &NO_QUORUM) {
            let engine = self.local.socket().display().to_string();
            return SchedulerError::Away { engine, reason: format!("the Swarm cannot decide: {reason}") };
        }
        if reason.contains(OUTDATED) {
            return SchedulerError::Conflict { subject: subject.to_owned() };
        }
        self.local.failed(action, subject, error)
    }
}

/// A failure that no answer of the engine's tells.
pub(super) fn refused(action: &'static str, subject: &str, reason: impl Into<String>) -> SchedulerError {
    SchedulerError::Engine { action, subject: subject.to_owned(), reason: reason.into() }
}

fn says(reason: &str, words: &[&str]) -> bool {
    words.iter().any(|word| reason.contains(word))
}
