//! The platform on all hosts of a cluster: from the engine, and from the boards of roles on this host.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use deis_api::status::{Problem, RoleStatus};
use deis_model::Spread;

use crate::arguments::StatusCommand;
use crate::fleet::{Fleet, State};
use crate::listing::states;
use crate::membership::advice;
use crate::platform::board;
use crate::sighting::{self, Sighting};
use crate::table::aligned;
use crate::unit::{Count, Instance, Unit, named, workload};

use super::table::since;

/// Lines of output that explain why a container ended.
const REASON_LINES: usize = 3;

/// Everything that was looked at.
#[derive(Debug, Serialize)]
struct ClusterReport {
    /// Whether there is no problem anywhere.
    well: bool,
    /// In the order in which units start, then by host.
    units: Vec<UnitReport>,
    /// What is wrong with units and hosts.
    problems: Vec<UnitProblem>,
}

/// One container of a unit.
#[derive(Debug, Serialize)]
struct UnitReport {
    unit: String,
    host: Option<String>,
    /// `active/running`.
    state: String,
    /// Unix time in seconds; 0 if it never started.
    up_since: i64,
    version: String,
    /// Where it is reached on its host; empty for units that only call others.
    address: String,
}

#[derive(Debug, Serialize)]
struct UnitProblem {
    subject: String,
    #[serde(flatten)]
    problem: Problem,
}

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
        false => write!(out, "{}", render(&report, super::now()))?,
    }
    Ok(if report.well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(fleet: &Fleet, wanted: &[(Unit, Instance)], is_all: bool) -> anyhow::Result<ClusterReport> {
    let state = State::read(fleet).await?;
    let here = fleet.cluster.this_host().await?;
    let means = |found: &Sighting| wanted.iter().any(|(unit, which)| found.unit == *unit && found.is(which));
    let found: Vec<_> = sighting::all(fleet, &state).await?.into_iter().filter(means).collect();
    let (mut units, mut problems) = (Vec::new(), Vec::new());
    for found in &found {
        let board = board_of(&state, found, &here).await;
        problems.extend(problems_of(fleet, &state, found, board.as_ref()).await);
        units.push(report(&state, found, board.as_ref()));
    }
    for (unit, which) in wanted {
        if *which == Instance::All {
            problems.extend(missing(&state, *unit, &found));
        }
    }
    if is_all {
        problems.extend(of_hosts(&state));
    }
    Ok(ClusterReport { well: problems.is_empty(), units, problems })
}

/// What the role says of itself, if it is on this host.
async fn board_of(state: &State, found: &Sighting, here: &str) -> Option<RoleStatus> {
    if found.host.as_deref() != Some(here) || !found.is_up() || !found.unit.is_role() {
        return None;
    }
    let socket = Path::new(&workload::folder(state, found.unit)).join(format!("run/{}.sock", found.unit));
    board(&socket).await.ok()
}

fn report(state: &State, found: &Sighting, board: Option<&RoleStatus>) -> UnitReport {
    let (active, sub) = states(found.container.state);
    let of_image = || workload::image(state, found.unit).rsplit_once(':').map(|(_, tag)| tag.to_owned());
    let address = found.on(state).zip(found.unit.port());
    UnitReport {
        unit: found.name(),
        host: found.host.clone(),
        state: format!("{active}/{sub}"),
        up_since: found.container.started_at / 1_000_000_000,
        version: board.map(|board| board.version.clone()).or_else(of_image).unwrap_or_default(),
        address: address
            .map(|(host, port)| std::net::SocketAddr::new(host.address, port).to_string())
            .unwrap_or_default(),
    }
}

/// What is wrong with one container, by its own words where they can be had.
async fn problems_of(
    fleet: &Fleet,
    state: &State,
    found: &Sighting,
    board: Option<&RoleStatus>,
) -> Vec<UnitProblem> {
    let subject = found.name();
    let problem = |cause: String, cure: String| UnitProblem {
        subject: subject.clone(),
        problem: Problem { cause, cure },
    };
    if found.is_lost(state) {
        let host = found.host.clone().unwrap_or_default();
        let cure = format!("start it; if it is lost for good, `deisctl remove {host}`");
        return vec![problem(format!("its host {host} is not heard of"), cure)];
    }
    if !found.is_up() {
        if let Some(trouble) = &found.container.trouble {
            let cure = format!("then `deisctl restart {}`", found.unit);
            return vec![problem(format!("cannot start: {trouble}"), cure)];
        }
        let lines = fleet.engine.output.tail(&found.container.id, REASON_LINES).await.unwrap_or_default();
        let said = lines.iter().map(|line| crate::journal::plain(line)).collect::<Vec<_>>().join("; ");
        let code = found.container.exit_code.map(|code| format!(" with status {code}")).unwrap_or_default();
        let cure = format!("see `deisctl journal {}`; then `deisctl restart {0}`", found.unit);
        return vec![problem(format!("does not run{code}: {said}"), cure)];
    }
    let told = board.map(|board| board.problems.clone()).unwrap_or_default();
    told.into_iter().map(|told| problem(told.cause, told.cure)).collect()
}

/// What should be there of `unit` and is not.
fn missing(state: &State, unit: Unit, found: &[Sighting]) -> Option<UnitProblem> {
    let wish = state.wish(unit)?;
    let problem = |cause: String, cure: String| {
        Some(UnitProblem { subject: format!("deis-{unit}"), problem: Problem { cause, cure } })
    };
    if !wish.started {
        return problem("is not started".to_owned(), format!("`deisctl start {unit}`"));
    }
    let there = found.iter().filter(|found| found.unit == unit).count();
    let expected = match (workload::workload(state, unit), unit.count()) {
        (Err(error), _) => return problem(error.to_string(), format!("then `deisctl start {unit}`")),
        (Ok(workload), Count::One) => workload.replicas as usize,
        (Ok(workload), Count::EveryHost) if workload.spread == Spread::Replicas => workload.replicas as usize,
        (Ok(_), Count::EveryHost) => state.ready(unit).count(),
    };
    if there >= expected && expected > 0 {
        return None;
    }
    let cure = match state.ready(unit).count() {
        0 => format!("no host of the {} takes work: `deisctl hosts`", unit.place()),
        _ => format!("`deisctl start {unit}`; see `deisctl hosts`"),
    };
    problem(format!("{there} of {expected} are there"), cure)
}

fn of_hosts(state: &State) -> Vec<UnitProblem> {
    let problem = |text: String| {
        let (cause, cure) = text.split_once("\n  cure: ").unwrap_or((&text, ""));
        let problem = Problem { cause: cause.to_owned(), cure: cure.to_owned() };
        UnitProblem { subject: "hosts".to_owned(), problem }
    };
    advice(&state.hosts).into_iter().map(problem).collect()
}

fn render(report: &ClusterReport, now: i64) -> String {
    let mut rows = vec![["UNIT", "HOST", "STATE", "SINCE", "VERSION", "ADDRESS"].map(str::to_owned)];
    rows.extend(report.units.iter().map(|unit| row(unit, now)));
    let mut text = aligned(&rows);
    for UnitProblem { subject, problem } in &report.problems {
        text += &format!("\n{subject}: {}\n  cure: {}\n", problem.cause, problem.cure);
    }
    text
}

fn row(unit: &UnitReport, now: i64) -> [String; 6] {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let started = if unit.up_since > 0 { since(unit.up_since, now) } else { "-".to_owned() };
    [
        unit.unit.clone(),
        or_dash(unit.host.as_deref().unwrap_or_default()),
        unit.state.clone(),
        started,
        or_dash(&unit.version),
        or_dash(&unit.address),
    ]
}

#[cfg(test)]
mod tests {
    use deis_model::ContainerState;
    use deis_scheduler::HostState;

    use super::*;
    use crate::fleet::test_state;
    use crate::sighting::pretended;

    #[test]
    fn units_are_told_with_host_age_version_and_address() {
        let state = test_state(&["lab1", "lab2"]);
        let found = [
            pretended(Unit::Controller, "lab1", ContainerState::Up),
            pretended(Unit::Publisher, "lab2", ContainerState::Crashed),
        ];
        let units = found.iter().map(|found| report(&state, found, None)).collect();
        let problem = Problem { cause: "does not run".into(), cure: "see why".into() };
        let problems = vec![UnitProblem { subject: "deis-publisher@lab2.service".into(), problem }];
        let text = render(&ClusterReport { well: false, units, problems }, 1_000_000_200);
        assert_eq!(
            text,
            "UNIT                          HOST  STATE           SINCE                         VERSION  ADDRESS\n\
             deis-controller@lab1.service  lab1  active/running  2001-09-09 01:46:40Z (3 min)  1-abc    10.0.0.1:8000\n\
             deis-publisher@lab2.service   lab2  failed/failed   2001-09-09 01:46:40Z (3 min)  1-abc    -\n\
             \n\
             deis-publisher@lab2.service: does not run\n  cure: see why\n"
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_its_cure() {
        let mut state = test_state(&["lab1", "lab2"]);
        let told = |state: &State, found: &[Sighting]| {
            missing(state, Unit::Registry, found).map(|told| told.problem.cause).unwrap_or_default()
        };
        assert_eq!(told(&state, &[]), "is not started");
        state.wishes.units.entry(Unit::Registry).or_default().started = true;
        let one = pretended(Unit::Registry, "lab1", ContainerState::Up);
        assert_eq!(told(&state, std::slice::from_ref(&one)), "1 of 2 are there");
        state.hosts[1].state = HostState::Down;
        assert_eq!(told(&state, &[one]), "");
    }
}
