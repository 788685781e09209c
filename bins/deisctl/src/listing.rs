//! `deisctl list`: the units in the original's columns.

use std::io::Write;
use std::process::ExitCode;

use deis_model::ContainerState;

use crate::fleet::State;
use crate::operate::Operation;
use crate::sighting::{self, Sighting};
use crate::table::aligned;

/// So much of a host's id is shown.
const ID_SHOWN: usize = 8;

/// Prints the units.
pub(crate) async fn run(operation: &Operation, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let state = State::read(&operation.fleet).await?;
    let found = sighting::all(&operation.fleet, &state).await?;
    write!(out, "{}", render(&state, &found))?;
    Ok(ExitCode::SUCCESS)
}

fn render(state: &State, found: &[Sighting]) -> String {
    let mut rows = vec![["UNIT", "MACHINE", "LOAD", "ACTIVE", "SUB"].map(str::to_owned)];
    for unit in state.wishes.units.keys() {
        let of_unit: Vec<_> = found.iter().filter(|found| found.unit == *unit).collect();
        if of_unit.is_empty() {
            rows.push(
                [&format!("deis-{unit}.service"), "-", "loaded", "inactive", "dead"].map(str::to_owned),
            );
        }
        rows.extend(of_unit.into_iter().map(|found| row(state, found)));
    }
    aligned(&rows)
}

fn row(state: &State, found: &Sighting) -> [String; 5] {
    let (active, sub) = states(found.container.state);
    let machine = match (found.on(state), &found.host) {
        (Some(host), _) => {
            format!("{}.../{}", host.id.chars().take(ID_SHOWN).collect::<String>(), host.address)
        }
        (None, Some(name)) => name.clone(),
        (None, None) => "-".to_owned(),
    };
    [&found.name(), &machine, "loaded", active, sub].map(str::to_owned)
}

/// The words that units of the original's hosts had.
pub(crate) fn states(state: ContainerState) -> (&'static str, &'static str) {
    match state {
        ContainerState::Up => ("active", "running"),
        ContainerState::Initialized | ContainerState::Created => ("activating", "start-pre"),
        ContainerState::Down => ("activating", "auto-restart"),
        ContainerState::Crashed => ("failed", "failed"),
        ContainerState::Destroyed => ("inactive", "dead"),
        ContainerState::Error => ("unknown", "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::test_state;
    use crate::sighting::pretended;
    use crate::unit::Unit;

    #[test]
    fn units_are_listed_as_in_the_original() {
        let mut state = test_state(&["lab1", "lab2"]);
        state.wishes.units.retain(|unit, _| [Unit::Router, Unit::Builder, Unit::Logger].contains(unit));
        let found = [
            pretended(Unit::Builder, "lab2", ContainerState::Up),
            pretended(Unit::Router, "lab1", ContainerState::Up),
            pretended(Unit::Router, "lab2", ContainerState::Crashed),
        ];
        assert_eq!(
            render(&state, &found),
            "UNIT                      MACHINE              LOAD    ACTIVE    SUB\n\
             deis-logger.service       -                    loaded  inactive  dead\n\
             deis-builder.service      id-lab2.../10.0.0.2  loaded  active    running\n\
             deis-router@lab1.service  id-lab1.../10.0.0.1  loaded  active    running\n\
             deis-router@lab2.service  id-lab2.../10.0.0.2  loaded  failed    failed\n"
        );
    }
}
