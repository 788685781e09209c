//! Canaries: new releases on a part of an app's requests.

use serde::{Deserialize, Serialize};

use super::Release;

/// How new releases of an app are tried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// How many of a hundred requests they get until they are promoted; 0: they get all at once.
    pub weight: u8,
    /// The release that is tried out.
    pub release: Option<Release>,
    /// The release that is being started, to be tried out next.
    pub next: Option<Release>,
}

/// The release that was deployed for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// Its number.
    pub version: u32,
}
