//! Units: the platform's parts as `deisctl` installs, starts and stops them.

mod group;
mod target;
pub(crate) mod variable;
pub(crate) mod workload;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use deis_runtime::Role;

use crate::plane::Plane;

pub(crate) use group::GROUPS;
pub(crate) use target::{Instance, Target, named};

/// One part of the platform. Its name is the role's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// PostgreSQL, unless an external one is named.
    Database,
    Logger,
    Logspout,
    Registry,
    Controller,
    Builder,
    Publisher,
    Router,
}

/// How many of a unit there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// One, on any host of its plane; it moves when that is lost.
    One,
    /// One on every host of its plane.
    EveryHost,
}

/// Where and how a unit runs.
struct Shape {
    unit: Unit,
    name: &'static str,
    /// None: every host of the cluster, whatever it is for.
    plane: Option<Plane>,
    count: Count,
    /// Whether `deisctl scale` gives it another number.
    scales: bool,
    /// Whether it works with the engine of its host.
    has_engine: bool,
    /// Whether two of it can run on one host at a time, so that a changed one starts before the old one ends.
    overlaps: bool,
    /// Where it listens on its host; 0 if nowhere.
    port: u16,
}

const fn shape(unit: Unit, name: &'static str, plane: Plane, count: Count) -> Shape {
    let plane = Some(plane);
    Shape { unit, name, plane, count, scales: false, has_engine: false, overlaps: false, port: 0 }
}

const SHAPES: [Shape; 8] = [
    Shape { port: 5432, ..shape(Unit::Database, "database", Plane::Control, Count::EveryHost) },
    Shape { port: 8088, ..shape(Unit::Logger, "logger", Plane::Control, Count::One) },
    Shape { has_engine: true, ..shape(Unit::Logspout, "logspout", Plane::Data, Count::EveryHost) },
    Shape { scales: true, port: 5001, ..shape(Unit::Registry, "registry", Plane::Control, Count::EveryHost) },
    Shape {
        has_engine: true,
        port: 8000,
        ..shape(Unit::Controller, "controller", Plane::Control, Count::EveryHost)
    },
    Shape { has_engine: true, port: 2223, ..shape(Unit::Builder, "builder", Plane::Control, Count::One) },
    // Every engine fetches and sends images through the publisher of its host.
    Shape {
        plane: None,
        has_engine: true,
        ..shape(Unit::Publisher, "publisher", Plane::Data, Count::EveryHost)
    },
    // Routers share their ports, and the new one takes over from the old one.
    Shape {
        scales: true,
        overlaps: true,
        port: 80,
        ..shape(Unit::Router, "router", Plane::Router, Count::EveryHost)
    },
];

impl Unit {
    /// All of them, in the order in which they start.
    pub(crate) const ALL: [Self; 8] = [
        Self::Database,
        Self::Logger,
        Self::Logspout,
        Self::Registry,
        Self::Controller,
        Self::Builder,
        Self::Publisher,
        Self::Router,
    ];

    fn shape(self) -> &'static Shape {
        SHAPES.iter().find(|shape| shape.unit == self).expect("every unit has a shape")
    }

    /// `router`.
    pub(crate) fn as_str(self) -> &'static str {
        self.shape().name
    }

    /// Whose hosts it is on; none: on every host.
    pub(crate) fn plane(self) -> Option<Plane> {
        self.shape().plane
    }

    /// The same in words: `control plane`.
    pub(crate) fn place(self) -> String {
        self.plane().map_or_else(|| "cluster".to_owned(), |plane| plane.to_string())
    }

    /// What gives it one host more.
    pub(crate) fn cure(self) -> String {
        match self.plane() {
            Some(plane) => format!("`deisctl label HOST {}=true`", plane.label()),
            None => "`deisctl undrain HOST`".to_owned(),
        }
    }

    /// How many there are, unless it is scaled.
    pub(crate) fn count(self) -> Count {
        self.shape().count
    }

    /// Whether `deisctl scale` gives it another number.
    pub(crate) fn scales(self) -> bool {
        self.shape().scales
    }

    /// Whether it works with the engine of its host.
    pub(crate) fn has_engine(self) -> bool {
        self.shape().has_engine
    }

    /// Whether two of it can run on one host at a time.
    pub(crate) fn overlaps(self) -> bool {
        self.shape().overlaps
    }

    /// Where it tells on its host how it is.
    pub(crate) fn status_port(self) -> u16 {
        Role::from(self).status_port()
    }

    /// Where it listens on its host, if anywhere.
    pub(crate) fn port(self) -> Option<u16> {
        Some(self.shape().port).filter(|port| *port != 0)
    }
}

impl From<Unit> for Role {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Database => Self::Database,
            Unit::Logger => Self::Logger,
            Unit::Logspout => Self::Logspout,
            Unit::Registry => Self::Registry,
            Unit::Controller => Self::Controller,
            Unit::Builder => Self::Builder,
            Unit::Publisher => Self::Publisher,
            Unit::Router => Self::Router,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that names no unit.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not find unit: {0}; there are database, logger, logspout, registry, controller, builder, publisher, router"
)]
pub(crate) struct UnitError(String);

impl FromStr for Unit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::ALL.into_iter().find(|unit| unit.as_str() == text).ok_or_else(|| UnitError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_has_one_shape_and_a_name_of_its_own() {
        for unit in Unit::ALL {
            assert_eq!(SHAPES.iter().filter(|shape| shape.unit == unit).count(), 1, "{unit:?}");
            assert_eq!(unit.as_str().parse::<Unit>().expect("a unit"), unit);
        }
    }

    #[test]
    fn only_units_that_work_with_the_engine_have_it() {
        let with: Vec<_> = Unit::ALL.into_iter().filter(|unit| unit.has_engine()).collect();
        assert_eq!(with, [Unit::Logspout, Unit::Controller, Unit::Builder, Unit::Publisher]);
    }
}
