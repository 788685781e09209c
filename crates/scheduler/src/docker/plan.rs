//! What to do so that a workload exists as described: decisions only.

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as State};

use deis_model::{ContainerName, Spread, Workload};

use crate::labels;

/// What to do about one container.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make and start it.
    Create(ContainerName),
    /// Start it as it is.
    Start(ContainerName, String),
    /// Remove it and make it anew.
    Replace(ContainerName, String),
    /// Remove it.
    Remove(String),
}

/// One of the workload's containers as the engine lists it.
pub(super) struct Present {
    name: ContainerName,
    id: String,
    state: State,
    fingerprint: String,
}

impl Present {
    /// Reads the engine's entry of a container; none if it is incomplete.
    pub(super) fn new(name: ContainerName, summary: ContainerSummary) -> Option<Self> {
        let fingerprint = labels::text(summary.labels.as_ref()?, labels::FINGERPRINT).to_owned();
        Some(Self { name, id: summary.id?, state: summary.state?, fingerprint })
    }
}

/// The steps that make `present` what `workload` says.
pub(super) fn plan(workload: &Workload, present: &[Present]) -> Vec<Step> {
    let replicas = match workload.spread {
        Spread::Replicas => workload.replicas,
        // The one host that there is.
        Spread::Hosts => 1,
    };
    let surplus = present.iter().filter(|container| container.name.number > replicas);
    let surplus = surplus.map(|container| Step::Remove(container.id.clone()));
    let fingerprint = workload.fingerprint();
    let wanted = (1..=replicas).filter_map(|number| {
        let name = ContainerName { workload: workload.id.clone(), number };
        match present.iter().find(|container| container.name.number == number) {
            None => Some(Step::Create(name)),
            Some(container) => judge(name, container, &fingerprint),
        }
    });
    wanted.chain(surplus).collect()
}

fn judge(name: ContainerName, container: &Present, fingerprint: &str) -> Option<Step> {
    let id = container.id.clone();
    match container.state {
        _ if container.fingerprint != fingerprint => Some(Step::Replace(name, id)),
        State::RUNNING | State::RESTARTING => None,
        State::CREATED | State::EXITED => Some(Step::Start(name, id)),
        _ => Some(Step::Replace(name, id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_model::{Command, Environment, Limits};

    fn workload(replicas: u32) -> Workload {
        Workload {
            id: ContainerName::parse("blog_v2.web.1").expect("valid").workload,
            image: "blog".to_owned(),
            command: Command::Image,
            environment: Environment::default(),
            limits: Limits::default(),
            tags: [].into(),
            replicas,
            port: None,
            health_check: None,
            spread: deis_model::Spread::Replicas,
            host: None,
        }
    }

    fn told(step: &Step) -> String {
        match step {
            Step::Create(name) => format!("create {}", name.short()),
            Step::Start(name, _) => format!("start {}", name.short()),
            Step::Replace(name, _) => format!("replace {}", name.short()),
            Step::Remove(id) => format!("remove {id}"),
        }
    }

    /// `present` holds number, state and whether it was made from the same description.
    fn check(replicas: u32, present: &[(u32, State, bool)], expected: &str) {
        let workload = workload(replicas);
        let present: Vec<_> = present
            .iter()
            .map(|(number, state, same)| Present {
                name: ContainerName { workload: workload.id.clone(), number: *number },
                id: format!("id{number}"),
                state: *state,
                fingerprint: if *same { workload.fingerprint() } else { "other".to_owned() },
            })
            .collect();
        let steps: Vec<_> = plan(&workload, &present).iter().map(told).collect();
        assert_eq!(steps.join(", "), expected);
    }

    #[test]
    fn only_what_differs_is_changed() {
        check(2, &[], "create web.1, create web.2");
        check(2, &[(1, State::RUNNING, true)], "create web.2");
        check(1, &[(1, State::RESTARTING, true)], "");
        check(1, &[(1, State::RUNNING, true), (2, State::RUNNING, true)], "remove id2");
        check(0, &[(1, State::EXITED, false)], "remove id1");
        check(1, &[(1, State::RUNNING, false)], "replace web.1");
        check(2, &[(1, State::CREATED, true), (2, State::EXITED, true)], "start web.1, start web.2");
        check(2, &[(1, State::DEAD, true), (2, State::PAUSED, true)], "replace web.1, replace web.2");
    }
}
