//! Why an engine did not do what it was asked to.

/// What failed, on what, and why.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// The URL names no known adapter or is malformed.
    #[error("{url:?} is not a scheduler URL: use docker://, swarm:// or memory://")]
    Url {
        /// As configured.
        url: String,
    },
    /// The engine does not answer.
    #[error("the container engine at {engine} does not answer: {reason}; start it, or correct scheduler.url")]
    Away {
        /// The socket or address.
        engine: String,
        /// What the connection said.
        reason: String,
    },
    /// The image is neither on the engine nor in its registry.
    #[error("image {image} was not found: {reason}")]
    NoImage {
        /// Its full name.
        image: String,
        /// What the registry or engine said.
        reason: String,
    },
    /// No host carries the labels that the tags ask for.
    #[error("no host has the label {tag}")]
    NoHost {
        /// `key=value`.
        tag: String,
    },
    /// The host is in no cluster, or is a worker in one.
    #[error("this host does not manage a cluster: ask one that does, or make one with deisctl init")]
    NoManager,
    /// The engine refused or failed.
    #[error("failed to {action} {subject}: {reason}")]
    Engine {
        /// As in "create container".
        action: &'static str,
        /// Which container or image.
        subject: String,
        /// The engine's own words.
        reason: String,
    },
    /// Somebody else changed it meanwhile.
    #[error("{subject} was changed by somebody else meanwhile; try again")]
    Conflict {
        /// Which document or host.
        subject: String,
    },
    /// It did not end in time and was stopped.
    #[error("{subject} timed out after {seconds} s and was stopped")]
    TimedOut {
        /// Which container.
        subject: String,
        /// The limit.
        seconds: u64,
    },
}
