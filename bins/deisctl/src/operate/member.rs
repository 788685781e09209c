//! The units that a command is about.

use anyhow::bail;

use crate::fleet::State;
use crate::unit::{Instance, Target, Unit};

/// The units that `target` is about: whole ones, since an engine runs all instances of one alike.
pub(super) fn members(state: &State, target: &Target) -> anyhow::Result<Vec<Unit>> {
    match target {
        Target::Platform { stateless } => {
            let without_database = *stateless || state.has_external_database();
            let belongs = |unit: &Unit| *unit != Unit::Database || !without_database;
            Ok(Unit::ALL.into_iter().filter(belongs).collect())
        }
        Target::Units(units) => units.iter().map(|(unit, instance)| whole(*unit, instance)).collect(),
    }
}

fn whole(unit: Unit, instance: &Instance) -> anyhow::Result<Unit> {
    match instance {
        Instance::All => Ok(unit),
        Instance::Named(name) => bail!(
            "{unit}@{name} cannot be started or stopped alone: all of deis-{unit} run alike. Restart it with `deisctl \
             restart {unit}@{name}`, take everything from its host with `deisctl drain HOST`, or \
             what it is for with `deisctl label`"
        ),
    }
}

pub(super) fn refuse_stateless(state: &State, stateless: bool) -> anyhow::Result<()> {
    if stateless && !state.has_external_database() {
        bail!(
            "stateless-platform keeps no database; name one, use:\n\
             deisctl config database set url=postgres://<user>:<password>@<host>:5432/<name>"
        );
    }
    Ok(())
}

pub(super) fn missing(unit: Unit) -> String {
    format!("could not find unit: deis-{unit}; install it with `deisctl install {unit}`")
}
