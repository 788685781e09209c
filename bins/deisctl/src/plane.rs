//! Planes: what a host is for.

use std::fmt;
use std::str::FromStr;

/// A part of the platform that has hosts of its own where they are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Plane {
    /// Management and state.
    Control,
    /// Apps.
    Data,
    /// Visitors' way in.
    Router,
}

impl Plane {
    pub(crate) const ALL: [Self; 3] = [Self::Control, Self::Data, Self::Router];

    /// The label by which a host is known to belong to it; its value is `true`.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Control => "controlPlane",
            Self::Data => "dataPlane",
            Self::Router => "routerMesh",
        }
    }
}

impl fmt::Display for Plane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Control => "control plane",
            Self::Data => "data plane",
            Self::Router => "router mesh",
        })
    }
}

/// A text that names no plane.
#[derive(Debug, thiserror::Error)]
#[error("there is no plane {0:?}: use control, data, router")]
pub(crate) struct PlaneError(String);

impl FromStr for Plane {
    type Err = PlaneError;

    fn from_str(text: &str) -> Result<Self, PlaneError> {
        match text {
            "control" | "controlPlane" => Ok(Self::Control),
            "data" | "dataPlane" => Ok(Self::Data),
            "router" | "routerMesh" => Ok(Self::Router),
            _ => Err(PlaneError(text.to_owned())),
        }
    }
}

/// `control plane, data plane`
pub(crate) fn listed(planes: &[Plane]) -> String {
    planes.iter().map(Plane::to_string).collect::<Vec<_>>().join(", ")
}
