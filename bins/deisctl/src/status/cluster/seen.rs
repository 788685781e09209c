//! One container of a unit: as the engine shows it, and as its role says itself, wherever it is.

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;

use deis_api::client::CallError;
use deis_api::status::{Problem, RoleStatus};
use deis_model::ContainerState;

use crate::fleet::{Fleet, State};
use crate::listing::states;
use crate::operator::Operator;
use crate::sighting::Sighting;
use crate::unit::workload;

use super::super::report::still_starting;
use super::report::{UnitProblem, UnitReport};

/// How long a role may take to tell about itself.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// How long a host may take to tell why a container ended.
const REASON_WITHIN: Duration = Duration::from_secs(5);

/// Lines of output that explain why a container ended.
const REASON_LINES: usize = 3;

/// One container that was looked at.
pub(super) struct Seen<'a> {
    pub(super) found: &'a Sighting,
    /// What its role says of itself, if it could be asked.
    pub(super) board: Option<RoleStatus>,
    /// What is wrong with it, by its own words where they can be had.
    pub(super) problems: Vec<UnitProblem>,
}

impl<'a> Seen<'a> {
    pub(super) async fn look(fleet: &Fleet, state: &State, operator: &Operator, found: &'a Sighting) -> Self {
        let mut seen = Self { found, board: None, problems: Vec::new() };
        if found.is_lost(state) {
            let host = found.host.clone().unwrap_or_default();
            let cure = format!("start it; if it is lost for good, `deisctl remove {host}`");
            seen.trouble(format!("its host {host} is not heard of"), cure);
        } else if found.is_up() {
            seen.hear(ask(state, operator, found).await);
        } else {
            let (cause, cure) = why_down(fleet, found).await;
            seen.trouble(cause, cure);
        }
        seen
    }

    fn hear(&mut self, answer: Result<RoleStatus, String>) {
        let unit = self.found.unit;
        match answer {
            Ok(board) => {
                let own = board.problems.iter().cloned();
                let told: Vec<Problem> = own.chain(still_starting(unit.into(), &board)).collect();
                told.into_iter().for_each(|told| self.trouble(told.cause, told.cure));
                self.board = Some(board);
            }
            Err(reason) => {
                let cure = format!("wait a moment; if it stays so, see `deisctl journal {unit}`");
                self.trouble(format!("runs, but does not say how it is: {reason}"), cure);
            }
        }
    }

    fn trouble(&mut self, cause: String, cure: String) {
        self.problems.push(UnitProblem::new(self.found.name(), cause, cure));
    }

    pub(super) fn report(&self, state: &State) -> UnitReport {
        let found = self.found;
        let is_unknown = found.is_lost(state);
        let (active, sub) = states(if is_unknown { ContainerState::Error } else { found.container.state });
        let address = found.on(state).zip(found.unit.port());
        UnitReport {
            unit: found.name(),
            host: found.host.clone(),
            state: format!("{active}/{sub}"),
            up_since: if is_unknown { 0 } else { found.container.started_at / 1_000_000_000 },
            version: self.version(state),
            address: address
                .map(|(host, port)| SocketAddr::new(host.address, port).to_string())
                .unwrap_or_default(),
        }
    }

    /// The tag of its image if it runs from the one that is wanted; else what it says.
    fn version(&self, state: &State) -> String {
        let wanted = workload::workload(state, self.found.unit).ok();
        let is_current =
            wanted.is_some_and(|wanted| wanted.fingerprint() == self.found.container.fingerprint);
        let image = workload::image(state, self.found.unit);
        match image.rsplit_once(':') {
            Some((_, tag)) if is_current => tag.to_owned(),
            _ => self.board.as_ref().map(|board| board.version.clone()).unwrap_or_default(),
        }
    }
}

/// What the role says of itself, on whatever host it is.
async fn ask(state: &State, operator: &Operator, found: &Sighting) -> Result<RoleStatus, String> {
    let host = found.on(state).ok_or("its host is not known")?;
    let client = operator.client(found.unit, [SocketAddr::new(host.address, found.unit.status_port())]);
    let asked = client.json(client.request(Method::GET, "/internal/status").timeout(ANSWER_WITHIN));
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|error: CallError| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
    }
}

/// Why a container does not run, and what to do.
async fn why_down(fleet: &Fleet, found: &Sighting) -> (String, String) {
    if let Some(trouble) = &found.container.trouble {
        return (format!("cannot start: {trouble}"), format!("then `deisctl restart {}`", found.unit));
    }
    let asked = fleet.engine.output.tail(&found.container.id, REASON_LINES);
    let lines = tokio::time::timeout(REASON_WITHIN, asked).await;
    let lines = lines.ok().and_then(Result::ok).unwrap_or_default();
    let said = lines.iter().map(|line| crate::journal::plain(line)).collect::<Vec<_>>().join("; ");
    let code = found.container.exit_code.map(|code| format!(" with status {code}")).unwrap_or_default();
    let cure = format!("see `deisctl journal {}`; then `deisctl restart {0}`", found.unit);
    (format!("does not run{code}: {said}"), cure)
}

#[cfg(test)]
mod tests {
    use deis_scheduler::HostState;

    use super::*;
    use crate::fleet::test_state;
    use crate::sighting::pretended;
    use crate::unit::Unit;

    fn board(address: &str, problems: Vec<Problem>) -> RoleStatus {
        RoleStatus {
            role: "builder".to_owned(),
            version: "1.13.4".to_owned(),
            pid: 1,
            up_since: 0,
            address: address.to_owned(),
            notes: Vec::new(),
            problems,
        }
    }

    /// What is told of a builder that gives this answer.
    fn told(answer: Result<RoleStatus, String>) -> Vec<String> {
        let found = pretended(Unit::Builder, "lab2", ContainerState::Up);
        let mut seen = Seen { found: &found, board: None, problems: Vec::new() };
        seen.hear(answer);
        seen.problems.into_iter().map(|told| format!("{}: {}", told.subject, told.problem.cause)).collect()
    }

    #[test]
    fn a_role_is_taken_at_its_word() {
        assert!(told(Ok(board("0.0.0.0:2223", Vec::new()))).is_empty());
        let problem = Problem { cause: "the controller is away".into(), cure: "start it".into() };
        assert_eq!(
            told(Ok(board("0.0.0.0:2223", vec![problem]))),
            ["deis-builder.service: the controller is away"]
        );
    }

    #[test]
    fn silence_and_a_port_that_is_not_open_yet_are_told() {
        assert_eq!(
            told(Err("connection refused".to_owned())),
            ["deis-builder.service: runs, but does not say how it is: connection refused"]
        );
        assert!(told(Ok(board("", Vec::new())))[0].contains("still starting"));
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_host_that_is_not_heard_of() {
        let mut state = test_state(&["lab1", "lab2"]);
        state.hosts[1].state = HostState::Down;
        let found = pretended(Unit::Publisher, "lab2", ContainerState::Up);
        let engine = deis_scheduler::open("memory://", deis_scheduler::Options::default()).await.unwrap();
        let fleet = Fleet::new(engine).unwrap();
        let seen = Seen::look(&fleet, &state, &Operator::of(&state).unwrap(), &found).await;
        assert_eq!(seen.problems[0].problem.cause, "its host lab2 is not heard of");
        let report = seen.report(&state);
        assert_eq!((report.state.as_str(), report.up_since), ("unknown/unknown", 0));
    }

    #[test]
    fn the_version_is_that_of_the_image_that_it_really_runs_from() {
        let state = test_state(&["lab1"]);
        let mut found = pretended(Unit::Logspout, "lab1", ContainerState::Up);
        let version = |found: &Sighting| {
            let seen = Seen { found, board: Some(board("", Vec::new())), problems: Vec::new() };
            seen.report(&state).version
        };
        assert_eq!(version(&found), "1.13.4");
        found.container.fingerprint = workload::workload(&state, Unit::Logspout).unwrap().fingerprint();
        assert_eq!(version(&found), "1-abc");
    }
}
