//! What is applied and retired, and what is said of it.

use super::*;
use crate::{Command, Environment, Limits, WorkloadId};

/// `v2.web=3` as a workload of app `a`.
fn workload(text: &str) -> Workload {
    let (id, replicas) = text.split_once('=').unwrap();
    let name = ContainerName::parse(&format!("a_{id}.1")).unwrap();
    let WorkloadId { process, .. } = &name.workload;
    Workload {
        port: process.is_routable().then_some(5000),
        id: name.workload,
        image: "image".to_owned(),
        command: Command::Image,
        environment: Environment::default(),
        limits: Limits::default(),
        tags: std::collections::BTreeMap::new(),
        replicas: replicas.parse().unwrap(),
        health_check: None,
        spread: crate::Spread::Replicas,
        host: None,
    }
}

/// `v2.web.1 up`, `v2.web.1 up restarts=3`, `v2.web.1 crashed oom`.
fn container(text: &str) -> ContainerStatus {
    let mut words = text.split(' ');
    let name = ContainerName::parse(&format!("a_{}", words.next().unwrap())).unwrap();
    let state = match words.next().unwrap() {
        "up" => ContainerState::Up,
        "created" => ContainerState::Created,
        _ => ContainerState::Crashed,
    };
    let rest: Vec<&str> = words.collect();
    let restarts =
        rest.iter().find_map(|word| word.strip_prefix("restarts=")).map_or(0, |n| n.parse().unwrap());
    ContainerStatus {
        id: name.to_string(),
        name,
        state,
        address: None,
        health_check: None,
        restarts,
        started_at: 0,
        exit_code: Some(1),
        out_of_memory: rest.contains(&"oom"),
        trouble: None,
        misplaced: false,
        fingerprint: String::new(),
    }
}

fn check(wanted: &[&str], running: &[&str], apply: &[&str], retire: &[&str]) {
    let wanted: Vec<_> = wanted.iter().map(|text| workload(text)).collect();
    let running: Vec<_> = running.iter().map(|text| container(text)).collect();
    let found = plan(&wanted, &running);
    let applied: Vec<_> = found.apply.iter().map(|w| format!("{}={}", w.id, w.replicas)).collect();
    let retired: Vec<_> = found.retire.iter().map(ToString::to_string).collect();
    assert_eq!(applied, apply.iter().map(|text| format!("a_{text}")).collect::<Vec<_>>());
    assert_eq!(retired, retire.iter().map(|text| format!("a_{text}")).collect::<Vec<_>>());
}

#[test]
fn missing_containers_are_applied() {
    check(&["v1.web=2"], &[], &["v1.web=2"], &[]);
    check(&["v1.web=2"], &["v1.web.1 up"], &["v1.web=2"], &[]);
    check(&["v1.web=1"], &["v1.web.1 created"], &["v1.web=1"], &[]);
    check(&["v1.web=1"], &["v1.web.1 crashed"], &["v1.web=1"], &[]);
}

#[test]
fn a_finished_move_changes_nothing() {
    check(&["v1.web=2"], &["v1.web.1 up", "v1.web.2 up"], &[], &[]);
    check(&["v1.web=1"], &["v1.web.1 crashed restarts=2"], &[], &[]);
    check(&["v1.web=0"], &[], &[], &[]);
}

#[test]
fn unwanted_containers_are_retired_but_never_jobs() {
    check(&["v1.web=1"], &["v1.web.1 up", "v1.web.2 up"], &[], &["v1.web.2"]);
    check(&["v2.web=1"], &["v1.web.1 up", "v2.web.1 up", "v2.run.1 up"], &[], &["v1.web.1"]);
    check(&[], &["v1.worker.1 up"], &[], &["v1.worker.1"]);
}

#[test]
fn applying_never_shrinks() {
    check(&["v1.web=2"], &["v1.web.1 up", "v1.web.3 up"], &["v1.web=3"], &["v1.web.3"]);
}

fn verdict(wanted: &[&str], running: &[&str], ready: &[&str]) -> Verdict {
    let wanted: Vec<_> = wanted.iter().map(|text| workload(text)).collect();
    let running: Vec<_> = running.iter().map(|text| container(text)).collect();
    let is_ready = |found: &ContainerStatus| ready.iter().any(|name| found.name.short() == *name);
    Verdict::of(&unready(&wanted, &running, STAY_UP, is_ready))
}

#[test]
fn a_release_is_ready_when_every_container_is() {
    assert_eq!(verdict(&["v1.web=1"], &["v1.web.1 up"], &["web.1"]), Verdict::Ready);
    assert_eq!(verdict(&["v1.worker=1"], &["v1.worker.1 up"], &[]), Verdict::Ready);
    assert!(
        matches!(verdict(&["v1.web=2"], &["v1.web.1 up"], &["web.1"]), Verdict::Waiting(names) if names.len() == 1)
    );
    assert!(matches!(verdict(&["v1.web=1"], &["v1.web.1 up restarts=2"], &[]), Verdict::Waiting(_)));
}

#[test]
fn a_container_that_keeps_ending_fails_its_release() {
    let crashed = verdict(&["v1.web=1"], &["v1.web.1 up restarts=3"], &[]);
    assert!(matches!(crashed, Verdict::Failed(_, Failure::Crashed { exit_code: 1 })));
    let behind = verdict(&["v1.web=2"], &["v1.web.2 up restarts=3"], &[]);
    assert!(matches!(behind, Verdict::Failed(name, _) if name.number == 2));
    let killed = verdict(&["v1.web=1"], &["v1.web.1 crashed oom"], &[]);
    assert!(matches!(killed, Verdict::Failed(_, Failure::OutOfMemory)));
}

#[test]
fn a_container_that_is_well_now_may_have_ended_before() {
    assert_eq!(verdict(&["v1.web=1"], &["v1.web.1 up restarts=9"], &["web.1"]), Verdict::Ready);
    assert_eq!(verdict(&["v1.worker=1"], &["v1.worker.1 up restarts=9"], &[]), Verdict::Ready);
}
