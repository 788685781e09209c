//! What the engine's errors mean.

use std::path::Path;

use bollard::errors::Error;

use super::Docker;
use crate::SchedulerError;

impl Docker {
    /// `error` as it came from trying to `action` (as in "create container") `subject`.
    pub(crate) fn failed(&self, action: &'static str, subject: &str, error: &Error) -> SchedulerError {
        match words(error) {
            Some(reason) => SchedulerError::Engine { action, subject: subject.to_owned(), reason },
            None => away(self.socket(), error),
        }
    }
}

/// The engine's own words, if it was the engine that refused.
pub(crate) fn words(error: &Error) -> Option<String> {
    match error {
        Error::DockerResponseServerError { message, .. } => Some(message.trim().to_owned()),
        Error::DockerStreamError { error } => Some(error.trim().to_owned()),
        Error::JsonDataError { .. } | Error::JsonSerdeError { .. } => Some(error.to_string()),
        _ => None,
    }
}

/// The HTTP status with which the engine refused.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// `answer`, or none where the engine says that there is no such thing.
pub(crate) fn present<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if status(&error) == Some(404) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The engine does not answer.
pub(crate) fn away(socket: &Path, error: &Error) -> SchedulerError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let reason = match error {
        Error::SocketNotFoundError(_) => "there is no such socket".to_owned(),
        _ => cause.to_string(),
    };
    SchedulerError::Away { engine: socket.display().to_string(), reason }
}

/// Reading the output of container `id` failed.
pub(crate) fn output_failed(socket: &Path, id: &str, error: &Error) -> SchedulerError {
    match words(error) {
        Some(reason) => {
            SchedulerError::Engine { action: "read the output of", subject: id.to_owned(), reason }
        }
        None => away(socket, error),
    }
}
