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
    /// The release that is to take over. At most one of this and `trial`.
    pub pending: Option<ReleaseContent>,
    /// The release that is to be tried out on a part of the requests.
    pub trial: Option<ReleaseContent>,
    /// The release that is tried out now; while it is promoted, it is `pending`, too.
    pub canary: Option<ReleaseContent>,
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

impl Desired {
    /// The release whose containers are being started, to replace or to be tried out.
    pub fn under_way(&self) -> Option<&ReleaseContent> {
        self.pending.as_ref().or(self.trial.as_ref())
    }

    /// The release that is tried out and nothing more: not one that is being deployed for all.
    pub fn tried_out(&self) -> Option<&ReleaseContent> {
        let is_pending = |canary: &&ReleaseContent| {
            self.pending.as_ref().is_some_and(|pending| pending.version == canary.version)
        };
        self.canary.as_ref().filter(|canary| !is_pending(canary))
    }

    /// Whether only a part of the containers of this release is wanted, as it is tried out or is to be.
    pub fn is_tried_out(&self, version: ReleaseVersion) -> bool {
        let mut tried = self.trial.iter().chain(self.tried_out());
        tried.any(|release| release.version == version)
    }
}
