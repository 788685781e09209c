//! A release: an immutable build and config, numbered `v1, v2, …`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of a release, from 1. Never reused within an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseVersion(u32);

impl ReleaseVersion {
    /// The first release, made with the app.
    pub const FIRST: Self = Self(1);

    /// `number`, unless it is 0.
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The one after this.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v{}", self.0)
    }
}

/// How far a release has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    /// Written; being deployed.
    Pending,
    /// Written; being started, to be tried out on a part of the requests.
    Starting,
    /// Is tried out on a part of the requests.
    Canary,
    /// Is tried out, and being deployed for all.
    Promoted,
    /// Became healthy and took the traffic (or had nothing to run).
    Deployed,
    /// Did not become or stay healthy; the release before it still serves.
    Failed,
    /// Was tried out, or was about to be, and went before it was deployed for all.
    Ended,
}

impl ReleaseState {
    /// Whether its containers are being started: an app has at most one such release.
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::Starting | Self::Promoted)
    }
}

/// A release as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// Its number.
    pub version: ReleaseVersion,
    /// Who made it.
    pub owner: String,
    /// What changed, in one line.
    pub summary: String,
    /// UUID of its config.
    pub config: String,
    /// UUID of its build; none before the first push.
    pub build: Option<String>,
    /// How far it has come.
    pub state: ReleaseState,
    /// Why it failed or was ended, for its owner.
    pub failure: Option<String>,
    /// When it was written.
    pub created: time::OffsetDateTime,
    /// When it last changed.
    pub updated: time::OffsetDateTime,
}
