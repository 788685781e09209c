//! The platform on all hosts of a cluster: from the engine, and from what each role says of itself.

mod expected;
mod report;
mod seen;

use std::io::Write;
use std::process::ExitCode;

use futures::{StreamExt, stream};

use crate::arguments::StatusCommand;
use crate::fleet::{Fleet, State};
use crate::operator::Operator;
use crate::sighting::{self, Sighting};
use crate::unit::{Instance, Unit, named};

use report::{ClusterReport, UnitNote};
use seen::Seen;

/// How many containers are asked at once.
const ASKED_AT_ONCE: usize = 32;

/// Prints the report; the exit code is 1 if anything is wrong.
pub(super) async fn run(
    fleet: &Fleet,
    command: &StatusCommand,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let wanted = named(&command.units)?;
    let report = look(fleet, &wanted, command.units.is_empty()).await?;
    match command.json {
        true => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        false => write!(out, "{}", report.render(super::now()))?,
    }
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(fleet: &Fleet, wanted: &[(Unit, Instance)], is_all: bool) -> anyhow::Result<ClusterReport> {
    let state = State::read(fleet).await?;
    let operator = Operator::of(&state)?;
    let means = |found: &Sighting| wanted.iter().any(|(unit, which)| found.unit == *unit && found.is(which));
    let found: Vec<_> = sighting::all(fleet, &state).await?.into_iter().filter(means).collect();
    let seen = stream::iter(&found).map(|found| Seen::look(fleet, &state, &operator, found));
    let seen: Vec<Seen> = seen.buffered(ASKED_AT_ONCE).collect().await;
    let mut report = ClusterReport::default();
    for seen in seen {
        report.units.push(seen.report(&state));
        report.problems.extend(seen.problems);
        for note in seen.board.into_iter().flat_map(|board| board.notes) {
            let note = UnitNote { subject: format!("deis-{}", seen.found.unit), note };
            // What all of a unit know, each of them tells.
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
        }
    }
    for (unit, which) in wanted {
        report.problems.extend(match which {
            Instance::All => expected::missing(&state, *unit, &found),
            Instance::Named(name) => expected::unknown(*unit, name, &found),
        });
    }
    if is_all {
        report.problems.extend(expected::of_hosts(&state));
    }
    report.well = report.problems.is_empty();
    Ok(report)
}
