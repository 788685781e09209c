//! What was found on all hosts, as it is printed.

use serde::Serialize;

use deis_api::status::Problem;

use crate::table::aligned;

use super::super::table::since;

/// Everything that was looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct ClusterReport {
    /// Whether there is no problem anywhere.
    pub(super) well: bool,
    /// In the order in which units start, then by host.
    pub(super) units: Vec<UnitReport>,
    /// What units say besides.
    pub(super) notes: Vec<UnitNote>,
    /// What is wrong with units and hosts.
    pub(super) problems: Vec<UnitProblem>,
}

/// One container of a unit.
#[derive(Debug, Serialize)]
pub(super) struct UnitReport {
    pub(super) unit: String,
    pub(super) host: Option<String>,
    /// `active/running`.
    pub(super) state: String,
    /// Unix time in seconds; 0 if it never started.
    pub(super) up_since: i64,
    /// Of the image that it runs from; else what it says itself. Empty if neither is known.
    pub(super) version: String,
    /// Where it is reached on its host; empty for units that only call others.
    pub(super) address: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnitNote {
    pub(super) subject: String,
    pub(super) note: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct UnitProblem {
    pub(super) subject: String,
    #[serde(flatten)]
    pub(super) problem: Problem,
}

impl UnitProblem {
    pub(super) fn new(subject: String, cause: String, cure: String) -> Self {
        Self { subject, problem: Problem { cause, cure } }
    }
}

impl ClusterReport {
    /// The units, what they say, then what is wrong and what to do.
    pub(super) fn render(&self, now: i64) -> String {
        let mut rows = vec![["UNIT", "HOST", "STATE", "SINCE", "VERSION", "ADDRESS"].map(str::to_owned)];
        rows.extend(self.units.iter().map(|unit| unit.row(now)));
        let mut text = aligned(&rows);
        if !self.notes.is_empty() {
            text.push('\n');
            self.notes.iter().for_each(|UnitNote { subject, note }| text += &format!("{subject}: {note}\n"));
        }
        for UnitProblem { subject, problem } in &self.problems {
            text += &format!("\n{subject}: {}\n  cure: {}\n", problem.cause, problem.cure);
        }
        text
    }
}

impl UnitReport {
    fn row(&self, now: i64) -> [String; 6] {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let started = if self.up_since > 0 { since(self.up_since, now) } else { "-".to_owned() };
        [
            self.unit.clone(),
            or_dash(self.host.as_deref().unwrap_or_default()),
            self.state.clone(),
            started,
            or_dash(&self.version),
            or_dash(&self.address),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, state: &str, address: &str) -> UnitReport {
        UnitReport {
            unit: format!("deis-{name}.service"),
            host: Some("lab1".to_owned()),
            state: state.to_owned(),
            up_since: 1_000_000_000,
            version: "1-abc".to_owned(),
            address: address.to_owned(),
        }
    }

    #[test]
    fn units_are_told_with_host_age_version_and_address() {
        let lost =
            UnitReport { up_since: 0, version: String::new(), ..unit("router", "unknown/unknown", "") };
        let problem = |subject: &str| {
            UnitProblem::new(subject.to_owned(), "does not run".to_owned(), "see why".to_owned())
        };
        let report = ClusterReport {
            well: false,
            units: vec![unit("controller", "active/running", "10.0.0.1:8000"), lost],
            notes: vec![UnitNote { subject: "deis-database".into(), note: "all is copied".into() }],
            problems: vec![problem("deis-router.service")],
        };
        assert_eq!(
            report.render(1_000_000_200),
            "UNIT                     HOST  STATE            SINCE                         VERSION  ADDRESS\n\
             deis-controller.service  lab1  active/running   2001-09-09 01:46:40Z (3 min)  1-abc    10.0.0.1:8000\n\
             deis-router.service      lab1  unknown/unknown  -                             -        -\n\
             \n\
             deis-database: all is copied\n\
             \n\
             deis-router.service: does not run\n  cure: see why\n"
        );
    }
}
