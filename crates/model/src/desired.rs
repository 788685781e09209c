//! What the database wants of one app: the intent that reconcilers make true.

use crate::{AppId, Build, Config, Formation, ReleaseVersion};

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
