//! What to do so that a workload exists as described: decisions only.

use deis_model::Workload;

use super::service::{Owned, Runs};

/// What to do about one container's service.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// Make it.
    Create(u32),
    /// Give it the new description.
    Update(u32, &'a Owned),
    /// Remove it.
    Remove(&'a Owned),
}

/// The steps that make `present` what `workload` says.
pub(super) fn plan<'a>(workload: &Workload, present: &'a [Owned]) -> Vec<Step<'a>> {
    let fingerprint = workload.fingerprint();
    let numbered = |number: u32| present.iter().find(move |owned| is_number(owned, number));
    let wanted = (1..=workload.replicas).filter_map(|number| match numbered(number) {
        None => Some(Step::Create(number)),
        Some(owned) if owned.fingerprint() != fingerprint => Some(Step::Update(number, owned)),
        Some(_) => None,
    });
    let surplus =
        present.iter().filter(|owned| (1..=workload.replicas).all(|number| !is_number(owned, number)));
    wanted.chain(surplus.map(Step::Remove)).collect()
}

fn is_number(owned: &Owned, number: u32) -> bool {
    matches!(&owned.runs, Runs::One(name) if name.number == number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::ServiceSpec;
    use deis_model::{Command, ContainerName, Environment, Limits, Spread};

    use super::*;
    use crate::labels;

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
            spread: Spread::Replicas,
            host: None,
        }
    }

    fn owned(number: u32, fingerprint: &str) -> Owned {
        let labels = HashMap::from([(labels::FINGERPRINT.to_owned(), fingerprint.to_owned())]);
        let name = ContainerName { workload: workload(0).id, number };
        let spec = ServiceSpec { labels: Some(labels), ..Default::default() };
        Owned { id: format!("id{number}"), runs: Runs::One(name), version: 1, spec }
    }

    /// `present` holds numbers and whether each was made from the same description.
    fn check(replicas: u32, present: &[(u32, bool)], expected: &str) {
        let workload = workload(replicas);
        let fingerprint = |same: bool| if same { workload.fingerprint() } else { "other".to_owned() };
        let present: Vec<_> =
            present.iter().map(|(number, same)| owned(*number, &fingerprint(*same))).collect();
        let told = |step: &Step<'_>| match step {
            Step::Create(number) => format!("create {number}"),
            Step::Update(number, owned) => format!("update {number} {}", owned.id),
            Step::Remove(owned) => format!("remove {}", owned.id),
        };
        let steps: Vec<_> = plan(&workload, &present).iter().map(told).collect();
        assert_eq!(steps.join(", "), expected);
    }

    #[test]
    fn only_what_differs_is_changed() {
        check(2, &[], "create 1, create 2");
        check(2, &[(2, true)], "create 1");
        check(1, &[(1, true)], "");
        check(1, &[(1, false)], "update 1 id1");
        check(1, &[(1, true), (3, true)], "remove id3");
        check(0, &[(1, false)], "remove id1");
    }
}
