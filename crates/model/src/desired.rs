//! What the database wants of one app: the intent that reconcilers make true.

use std::collections::BTreeMap;

use crate::{AppId, Build, Config, Formation, KeyPair, ReleaseVersion};

/// Everything that is wanted of one app, read in one snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The app.
    pub app: AppId,
    /// Tells the app from an earlier one of the same name.
    pub uuid: String,
    /// Username.
    pub owner: String,
    /// Containers wanted per process type; empty before the first scale or deploy.
    pub formation: Formation,
    /// The release that serves: the newest that is deployed.
    pub deployed: Option<ReleaseContent>,
    /// The release that is to take over; at most one.
    pub pending: Option<ReleaseContent>,
    /// Hosts that users added, lower case, sorted.
    pub domains: Vec<String>,
    /// Its routing settings, over those of the platform: key → value.
    pub settings: BTreeMap<String, String>,
    /// Certificates for its hosts, best first. Left out by the database, which has their keys only sealed.
    pub certificates: Vec<KeyPair>,
    /// Counts what changed of its routing settings and certificates.
    pub routing: i64,
}

/// A release with what it points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseContent {
    /// Its number.
    pub version: ReleaseVersion,
    /// What to run; none before the first build.
    pub build: Option<Build>,
    /// Environment, limits and tags.
    pub config: Config,
}
