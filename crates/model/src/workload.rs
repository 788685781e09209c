//! A workload: one app, release and process type given to a scheduler.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AppId, Environment, HealthCheck, HostAccess, ProcessType, ReleaseVersion, Spread};

/// Which app, release and process type: `blog_v2.web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadId {
    /// The app.
    pub app: AppId,
    /// The release.
    pub release: ReleaseVersion,
    /// The process type.
    pub process: ProcessType,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}_{}.{}", self.app, self.release, self.process)
    }
}

/// What a container executes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Command {
    /// The image's own entrypoint and command.
    Image,
    /// These words in place of the image's entrypoint and command. Never joined into a shell line by the platform.
    Words(Vec<String>),
}

/// What one container may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes; none is unlimited.
    pub memory_bytes: Option<u64>,
    /// Relative CPU weight, 1–1024.
    pub cpu_shares: Option<u16>,
}

/// Everything a scheduler needs to run one process type of one release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Which it is.
    pub id: WorkloadId,
    /// The image's full name with its tag or digest.
    pub image: String,
    /// What to execute.
    pub command: Command,
    /// The whole environment, `PORT` included where the platform sets it.
    pub environment: Environment,
    /// Limits of each container.
    pub limits: Limits,
    /// Labels that a host must carry.
    pub tags: BTreeMap<String, String>,
    /// How many containers: numbered 1 to `replicas`.
    pub replicas: u32,
    /// The port it listens on, for types that visitors reach.
    pub port: Option<u16>,
    /// How the publisher judges it ready; present exactly when `port` is.
    pub health_check: Option<HealthCheck>,
    /// How they are spread over hosts.
    #[serde(default, skip_serializing_if = "Spread::is_replicas")]
    pub spread: Spread,
    /// What it may use of its host: none for apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostAccess>,
}

impl Workload {
    /// A text that is the same for workloads whose containers are interchangeable: all but `replicas`.
    ///
    /// FNV-1a over the parts that matter, 16 hex digits. Stable across versions of the compiler, so that
    /// containers made before an upgrade are recognised after it. Not for security.
    pub fn fingerprint(&self) -> String {
        let alike = Self { replicas: 0, ..self.clone() };
        let text = serde_json::to_string(&alike).expect("a workload is plain data, which always serializes");
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{hash:016x}")
    }
}

/// A one-off command in the environment of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The name its container gets; the process type is `run`.
    pub name: crate::ContainerName,
    /// The image.
    pub image: String,
    /// What to execute.
    pub command: Command,
    /// The whole environment.
    pub environment: Environment,
    /// Limits of the container.
    pub limits: Limits,
    /// Labels that the host must carry.
    pub tags: BTreeMap<String, String>,
}

impl Job {
    /// The most that a job may be given to read, in bytes.
    pub const INPUT_LIMIT: usize = 1 << 20;
}
