//! A container: one running replica of a workload.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{AppId, HealthCheck, ProcessType, ReleaseVersion, WorkloadId};

/// The name of a container: `<app>_v<release>.<type>.<number>`, as `blog_v2.web.1`.
///
/// Source: the original's job ids; log sources and listings are derived from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerName {
    /// The app, release and process type it runs.
    pub workload: WorkloadId,
    /// Counted from 1 within the process type.
    pub number: u32,
}

/// A text that is not a container name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a container name like app_v2.web.1")]
pub struct ContainerNameError {
    text: String,
}

impl ContainerName {
    /// Parses `text`, as in `blog_v2.web.1`.
    pub fn parse(text: &str) -> Result<Self, ContainerNameError> {
        Self::split(text).ok_or_else(|| ContainerNameError { text: text.to_owned() })
    }

    fn split(text: &str) -> Option<Self> {
        let (app, rest) = text.split_once("_v")?;
        let (release, rest) = rest.split_once('.')?;
        let (process, number) = rest.rsplit_once('.')?;
        let workload = WorkloadId {
            app: AppId::parse(app).ok()?,
            release: ReleaseVersion::new(release.parse().ok()?)?,
            process: ProcessType::parse(process).ok()?,
        };
        Some(Self { workload, number: number.parse().ok().filter(|number| *number > 0)? })
    }

    /// The short name within the app: `web.1`. The source of its log lines.
    pub fn short(&self) -> String {
        format!("{}.{}", self.workload.process, self.number)
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.workload, self.number)
    }
}

impl TryFrom<String> for ContainerName {
    type Error = ContainerNameError;

    fn try_from(text: String) -> Result<Self, ContainerNameError> {
        Self::parse(&text)
    }
}

impl From<ContainerName> for String {
    fn from(name: ContainerName) -> Self {
        name.to_string()
    }
}

/// What an engine says a container is doing. The texts are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Wanted, but no engine knows it yet.
    Initialized,
    /// Made, not started.
    Created,
    /// Running.
    Up,
    /// Starting again or stopping.
    Down,
    /// Ended by itself.
    Crashed,
    /// Gone.
    Destroyed,
    /// The engine gives no answer about it.
    Error,
}

impl ContainerState {
    /// The text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initialized => "initialized",
            Self::Created => "created",
            Self::Up => "up",
            Self::Down => "down",
            Self::Crashed => "crashed",
            Self::Destroyed => "destroyed",
            Self::Error => "error",
        }
    }
}

/// One container as an engine reports it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Which replica of which workload.
    pub name: ContainerName,
    /// The engine's own id of this incarnation; changes when the container is made anew, not when it restarts.
    pub id: String,
    /// What it is doing.
    pub state: ContainerState,
    /// Where its port is reached, if it has one and runs.
    pub address: Option<SocketAddr>,
    /// How the publisher judges it; none for types without a port.
    pub health_check: Option<HealthCheck>,
    /// How often the engine started it again after it ended by itself.
    pub restarts: u32,
    /// When it last started: Unix time in nanoseconds; 0 if never. Distinguishes incarnations across restarts.
    pub started_at: i64,
    /// The status of its last exit, if it ever ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for exceeding its memory limit.
    pub out_of_memory: bool,
    /// Why the engine has not started it or could not, in the engine's words; none when it runs or ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Whether it should be made anew, so that it comes to a host that has none of its workload while its own has several.
    ///
    /// Told of one container of a workload at a time, and only while all of the workload run.
    #[serde(default)]
    pub misplaced: bool,
    /// Fingerprint of the workload it was made from: see [`crate::Workload::fingerprint`].
    pub fingerprint: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_name_reads_back_as_written() {
        for text in ["blog_v2.web.1", "my-app_v10.worker-2.31", "a_v1.my.type.2"] {
            assert_eq!(ContainerName::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for text in
            ["", "blog", "blog_v0.web.1", "blog_v2.web", "blog_v2.web.0", "Blog_v2.web.1", "blog_vx.web.1"]
        {
            assert!(ContainerName::parse(text).is_err(), "{text}");
        }
    }
}
