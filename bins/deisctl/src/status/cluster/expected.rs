//! What should be there and is not.

use deis_model::Spread;

use crate::fleet::State;
use crate::membership::advice;
use crate::sighting::Sighting;
use crate::unit::{Count, Instance, Unit, workload};

use super::report::UnitProblem;

/// What should be there of `unit` and is not.
pub(super) fn missing(state: &State, unit: Unit, found: &[Sighting]) -> Option<UnitProblem> {
    let wish = state.wish(unit)?;
    let problem = |cause: String, cure: String| Some(UnitProblem::new(format!("deis-{unit}"), cause, cure));
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

/// That there is no `unit` of this name among those that were found.
pub(super) fn unknown(unit: Unit, name: &str, found: &[Sighting]) -> Option<UnitProblem> {
    let is_meant = |found: &Sighting| found.unit == unit && found.is(&Instance::Named(name.to_owned()));
    let subject = format!("deis-{unit}@{name}.service");
    let problem = || {
        UnitProblem::new(subject, "is not there".to_owned(), "`deisctl list` shows what there is".to_owned())
    };
    (!found.iter().any(is_meant)).then(problem)
}

/// What is wrong with hosts.
pub(super) fn of_hosts(state: &State) -> Vec<UnitProblem> {
    let problem = |text: String| {
        let (cause, cure) = text.split_once("\n  cure: ").unwrap_or((&text, ""));
        UnitProblem::new("hosts".to_owned(), cause.to_owned(), cure.to_owned())
    };
    advice(&state.hosts).into_iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use deis_model::ContainerState;
    use deis_scheduler::HostState;

    use super::*;
    use crate::fleet::test_state;
    use crate::sighting::pretended;

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

    #[test]
    fn an_instance_that_is_not_there_is_told() {
        let found = [pretended(Unit::Router, "lab1", ContainerState::Up)];
        assert_eq!(unknown(Unit::Router, "lab1", &found), None);
        let told = unknown(Unit::Router, "lab9", &found).map(|told| told.subject);
        assert_eq!(told.as_deref(), Some("deis-router@lab9.service"));
    }
}
