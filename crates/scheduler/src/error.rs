//! Why an engine did not do what it was asked to, and whether that may pass.

/// Words that say for good that there is no such image, or none for us, in lower case. Of a registry that is away there
/// are more ways to speak than anybody can list.
const NO_IMAGE_EVER: [&str; 8] = [
    "not found",
    "manifest unknown",
    "name unknown",
    "does not exist",
    "no such image",
    "denied",
    "unauthorized",
    "invalid reference",
];

/// Words of a host that is in trouble itself when it could not make or start a container, in lower case: network,
/// mounts, disk, memory. All others are of what it was to run.
const HOST_IN_TROUBLE: [&str; 16] = [
    "networking",
    "external connectivity",
    "port is already allocated",
    "address already in use",
    "could not find an available",
    "invalid mount config",
    "failed to mount",
    "error mounting",
    "error while mounting",
    "error while creating mount",
    "resource busy",
    "no space left",
    "cannot allocate memory",
    "resource temporarily unavailable",
    "deadline exceeded",
    "connection refused",
];

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

impl SchedulerError {
    /// Whether the same may succeed a little later without anybody changing what was asked for: as while a registry is
    /// away, or a host's network is in trouble.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Conflict { .. } => true,
            Self::NoImage { reason, .. } => !says(reason, &NO_IMAGE_EVER),
            Self::Engine { reason, .. } => is_hosts_trouble(reason),
            Self::Url { .. } | Self::NoHost { .. } | Self::NoManager | Self::TimedOut { .. } => false,
        }
    }
}

/// Whether an engine that says this of a container could start it at another time, or another engine could.
pub(crate) fn is_hosts_trouble(words: &str) -> bool {
    says(words, &HOST_IN_TROUBLE)
}

fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_image(reason: &str, may_pass: bool) {
        let error = SchedulerError::NoImage { image: "blog:v2".to_owned(), reason: reason.to_owned() };
        assert_eq!(error.may_pass(), may_pass, "{reason}");
    }

    #[test]
    fn an_image_that_is_not_there_does_not_come_but_a_registry_may() {
        check_image(
            "manifest for 127.0.0.1:5000/blog:v2 not found: manifest unknown: manifest unknown",
            false,
        );
        check_image(
            "pull access denied for blog, repository does not exist or may require 'docker login'",
            false,
        );
        check_image(
            "failed to resolve reference \"127.0.0.1:5000/blog:v2\": 127.0.0.1:5000/blog:v2: not found",
            false,
        );
        check_image(
            "Get \"http://127.0.0.1:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
            true,
        );
        check_image("received unexpected HTTP status: 503 Service Unavailable", true);
        check_image("dial tcp: lookup registry.example.com on 127.0.0.53:53: no such host", true);
        check_image("its registry took longer than 120 s", true);
        check_image("the engine does not have it", true);
    }

    fn check_start(reason: &str, may_pass: bool) {
        let (action, subject) = ("start container", "blog_v2.web.1".to_owned());
        let error = SchedulerError::Engine { action, subject, reason: reason.to_owned() };
        assert_eq!(error.may_pass(), may_pass, "{reason}");
    }

    #[test]
    fn a_hosts_trouble_passes_and_a_command_that_is_not_there_does_not() {
        check_start("driver failed programming external connectivity on endpoint blog: exit status 1", true);
        check_start(
            "invalid mount config for type \"bind\": bind source path does not exist: /srv/blog",
            true,
        );
        check_start("write /var/lib/docker/tmp/a: no space left on device", true);
        check_start("OCI runtime create failed: exec: \"serve\": executable file not found in $PATH", false);
        check_start("unable to find user nobody-is-this: no matching entries in passwd file", false);
    }
}
