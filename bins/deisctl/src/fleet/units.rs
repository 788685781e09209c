//! Which units the operator wants, started or not, and how many.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::unit::Unit;

use super::Document;

/// What is wanted of one unit that is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnitWish {
    /// Whether it is to run.
    pub(crate) started: bool,
    /// So many, in place of its usual number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replicas: Option<u32>,
}

/// What is wanted of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wishes {
    /// The installed units.
    pub(crate) units: BTreeMap<Unit, UnitWish>,
    /// The image that roles run from: made at `deisctl init`.
    pub(crate) image: String,
    /// Hosts that were removed while no controller answered: it is told when one does.
    #[serde(default)]
    pub(crate) forgotten: BTreeSet<String>,
    /// Targets with settings for the controller that changed since it was told of them.
    #[serde(default)]
    pub(crate) untold: BTreeSet<String>,
}

impl Wishes {
    /// The units that are to run, in the order in which they start.
    pub(crate) fn started(&self) -> Vec<Unit> {
        Unit::ALL.into_iter().filter(|unit| self.units.get(unit).is_some_and(|wish| wish.started)).collect()
    }
}

impl Document for Wishes {
    const NAME: &'static str = "deis-units";
}
