//! What `deisctl status` found, as it is printed in JSON.

use serde::Serialize;

use deis_api::status::{Problem, RoleStatus};
use deis_runtime::Role;

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether there is no problem anywhere.
    pub(super) well: bool,
    /// In the order in which roles start.
    pub(super) roles: Vec<RoleReport>,
    /// What the roles need from this machine.
    pub(super) host: Vec<Check>,
}

/// One role.
#[derive(Debug, Serialize)]
pub(super) struct RoleReport {
    /// Which.
    pub(super) role: String,
    /// Whether it answers.
    pub(super) up: bool,
    /// What it said of itself, if it answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) facts: Option<Facts>,
    /// What else it says of itself, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

/// What a role that answers says of itself.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    /// The version of its executable.
    pub(super) version: String,
    /// Process id.
    pub(super) pid: u32,
    /// Unix time in seconds.
    pub(super) up_since: i64,
    /// Where it listens; empty for roles that only call others.
    pub(super) address: String,
}

/// One thing that roles need.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) subject: &'static str,
    /// What was found.
    pub(super) found: String,
    /// What is wrong.
    pub(super) problems: Vec<Problem>,
}

impl Report {
    /// Puts the findings together.
    pub(super) fn new(roles: Vec<RoleReport>, host: Vec<Check>) -> Self {
        let well = roles.iter().all(|role| role.problems.is_empty())
            && host.iter().all(|check| check.problems.is_empty());
        Self { well, roles, host }
    }

    /// All problems, with what they belong to.
    pub(super) fn problems(&self) -> impl Iterator<Item = (&str, &Problem)> {
        let roles = self.roles.iter().map(|role| (role.role.as_str(), &role.problems));
        let host = self.host.iter().map(|check| (check.subject, &check.problems));
        roles
            .chain(host)
            .flat_map(|(subject, problems)| problems.iter().map(move |problem| (subject, problem)))
    }
}

impl RoleReport {
    /// A role that answered.
    pub(super) fn up(role: Role, status: RoleStatus) -> Self {
        let starting = still_starting(role, &status);
        let mut problems = status.problems;
        problems.extend(starting);
        let facts = Facts {
            version: status.version,
            pid: status.pid,
            up_since: status.up_since,
            address: status.address,
        };
        Self { role: role.to_string(), up: true, facts: Some(facts), notes: status.notes, problems }
    }

    /// A role that did not answer, because of `error`.
    pub(super) fn down(role: Role, error: &anyhow::Error) -> Self {
        let problem = Problem {
            cause: format!("does not answer: {error:#}"),
            cure: format!("see why it ended with `deisctl journal {role}`; start it with `deisd run {role}`"),
        };
        Self { role: role.to_string(), up: false, facts: None, notes: Vec::new(), problems: vec![problem] }
    }
}

/// The problem of a role that should listen, does not yet and says of nothing that keeps it from it.
pub(super) fn still_starting(role: Role, status: &RoleStatus) -> Option<Problem> {
    let is_starting = status.problems.is_empty() && status.address.is_empty() && listens(role);
    is_starting.then(|| Problem {
        cause: "is still starting: it does not listen yet".to_owned(),
        cure: format!("wait a moment; if it stays so, see `deisctl journal {role}`"),
    })
}

/// Whether others call the role; the rest only call others and have no address.
fn listens(role: Role) -> bool {
    !matches!(role, Role::Publisher | Role::Logspout)
}
