//! Restarts by the names of containers: which are replaced, and when.

use super::*;
use deis_model::plan::Failure;
use deis_model::{Command, Environment, Limits};

const PATIENCE: Duration = Duration::from_secs(60);

fn name(text: &str) -> ContainerName {
    ContainerName::parse(&format!("a_{text}")).unwrap()
}

fn names(texts: &[&str]) -> Vec<ContainerName> {
    texts.iter().map(|text| name(text)).collect()
}

fn workload(text: &str, replicas: u32) -> Workload {
    Workload {
        id: name(&format!("{text}.1")).workload,
        image: String::new(),
        command: Command::Image,
        environment: Environment::default(),
        limits: Limits::default(),
        tags: BTreeMap::new(),
        replicas,
        port: None,
        health_check: None,
        spread: deis_model::Spread::Replicas,
        host: None,
    }
}

/// How many extra containers stand in for those of `v1.web`.
fn surge(restart: &Restart) -> u32 {
    restart.surge(&name("v1.web.1").workload)
}

/// Advances while `unready` are not ready, those with a `!` for ever.
fn advance(restart: &mut Restart, unready: &[&str], patience: Duration) -> bool {
    let found = |text: &&str| Unready {
        name: name(text.trim_end_matches('!')),
        failure: text.ends_with('!').then_some(Failure::Crashed { exit_code: 1 }),
    };
    let unready: Vec<_> = unready.iter().map(found).collect();
    let deployed = [workload("v1.web", 5 + surge(restart)), workload("v1.worker", 2)];
    restart.advance(&unready, &deployed, patience)
}

/// Asserts which containers are being replaced, then has them gone.
fn replaced(restart: &mut Restart, expected: &[&str]) {
    let replacing: Vec<_> = restart.replacing.iter().cloned().collect();
    assert_eq!(replacing, names(expected));
    replacing.iter().for_each(|name| restart.note_removed(name));
}

#[test]
fn one_extra_container_stands_in_for_each_that_is_away() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1", "v1.web.2", "v1.web.3", "v1.web.4", "v1.web.5"]));
    assert_eq!(surge(&restart), 2);
    assert!(!advance(&mut restart, &["v1.web.7"], PATIENCE), "an extra one is not ready");
    assert!(advance(&mut restart, &[], PATIENCE));
    replaced(&mut restart, &["v1.web.1", "v1.web.2"]);
    assert!(!advance(&mut restart, &["v1.web.2"], PATIENCE), "a new one is not ready");
    assert!(advance(&mut restart, &[], PATIENCE));
    replaced(&mut restart, &["v1.web.3", "v1.web.4"]);
    assert!(advance(&mut restart, &[], PATIENCE));
    replaced(&mut restart, &["v1.web.5"]);
    assert!(!restart.is_under_way());
    assert!(advance(&mut restart, &[], PATIENCE) && surge(&restart) == 0);
    assert!(!advance(&mut restart, &[], PATIENCE));
}

#[test]
fn types_without_traffic_restart_all_at_once() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.worker.1", "v1.worker.2"]));
    assert!(advance(&mut restart, &[], PATIENCE));
    replaced(&mut restart, &["v1.worker.1", "v1.worker.2"]);
}

#[test]
fn a_second_restart_takes_no_stand_in_away() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1"]));
    restart.queue(&names(&["v1.worker.1"]));
    assert_eq!(surge(&restart), 1);
    assert!(!advance(&mut restart, &["v1.web.6"], PATIENCE), "nobody stands in for web.1 yet");
}

#[test]
fn containers_that_serve_nobody_restart_at_once() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1", "v1.web.2", "v1.worker.1"]));
    assert!(advance(&mut restart, &["v1.web.2!", "v1.web.6"], PATIENCE));
    replaced(&mut restart, &["v1.web.2"]);
}

#[test]
fn containers_of_others_that_crash_hold_up_nothing() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1"]));
    assert!(advance(&mut restart, &["v1.web.2!", "v1.worker.1!"], PATIENCE));
    replaced(&mut restart, &["v1.web.1"]);
}

#[test]
fn a_restart_whose_new_containers_are_not_well_spares_the_others() {
    for (unready, patience) in [("v1.web.6!", PATIENCE), ("v1.web.6", Duration::ZERO)] {
        let mut restart = Restart::default();
        restart.queue(&names(&["v1.web.1"]));
        assert!(advance(&mut restart, &[unready], patience));
        assert!(!restart.is_under_way() && surge(&restart) == 0);
    }
}

#[test]
fn a_new_release_ends_the_restart_of_the_old_one() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1"]));
    restart.follow(&[ReleaseVersion::FIRST.next()]);
    assert!(!restart.is_under_way() && surge(&restart) == 0);
}

#[test]
fn a_release_that_is_tried_out_restarts_beside_the_one_that_serves() {
    let mut restart = Restart::default();
    restart.queue(&names(&["v1.web.1", "v2.web.1"]));
    restart.follow(&[ReleaseVersion::FIRST, ReleaseVersion::FIRST.next()]);
    let serving = [workload("v1.web", 6), workload("v2.web", 2)];
    let starting = |text: &str| [Unready { name: name(text), failure: None }];
    assert!(!restart.advance(&starting("v2.web.2"), &serving, PATIENCE), "nobody stands in for it yet");
    assert!(restart.advance(&[], &serving, PATIENCE));
    replaced(&mut restart, &["v1.web.1", "v2.web.1"]);
}
