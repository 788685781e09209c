//! What only the platform's own roles may ask of a host: apps never get any of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the containers of a workload are spread over hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// As many as `replicas` says, on as many hosts as there are.
    #[default]
    Replicas,
    /// One on every host that carries the tags; `replicas` says nothing.
    Hosts,
}

impl Spread {
    /// Whether it is the one that apps have.
    pub fn is_replicas(&self) -> bool {
        *self == Self::Replicas
    }
}

/// The parts of its host that a role works with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostAccess {
    /// The host's own network in place of one for apps.
    pub network: bool,
    /// Folders and sockets of the host.
    pub mounts: Vec<Mount>,
    /// Files that are given to every container of it, readable by its user alone.
    pub files: Vec<FileMount>,
    /// Linux capabilities beyond the engine's usual ones, as `NET_ADMIN`.
    pub capabilities: Vec<String>,
    /// Whether two of it can run on one host at a time, so that a changed one starts before the old one ends.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overlaps: bool,
    /// How many seconds its containers may take to end after they were asked to; none: as many as the engine's others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_grace_seconds: Option<u32>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A folder or socket of the host, at a path of the container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// On the host; a folder that is missing is made.
    pub source: String,
    /// In the container.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// A file that is kept with the workload rather than on a host. May be secret.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileMount {
    /// Absolute, in the container.
    pub path: String,
    /// What it holds; at most 500 KB.
    pub contents: String,
}

impl fmt::Debug for FileMount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileMount").field("path", &self.path).finish_non_exhaustive()
    }
}
