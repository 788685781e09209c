//! What units are told, given and refused.

use std::collections::BTreeMap;

use super::file::SETTINGS;
use super::*;
use crate::fleet::test_state;

fn variables(state: &State, unit: Unit) -> BTreeMap<String, String> {
    workload(state, unit).expect("a workload").environment.0
}

fn file(workload: &Workload, path: &str) -> String {
    let files = &workload.host.as_ref().expect("a host's parts").files;
    files.iter().find(|file| file.path == path).map(|file| file.contents.clone()).unwrap_or_default()
}

#[test]
fn every_unit_is_told_where_the_others_may_be() {
    let state = test_state(&["lab1", "lab2", "lab3"]);
    let variables = variables(&state, Unit::Router);
    assert_eq!(variables["DEIS_CONTROLLERS"], "10.0.0.1:8000,10.0.0.2:8000,10.0.0.3:8000");
    assert_eq!(variables["DEIS_BUILDERS"], "10.0.0.1:2223,10.0.0.2:2223,10.0.0.3:2223");
    assert_eq!(variables["DEIS_HTTP"], "0.0.0.0:80");
    assert_eq!(variables["DEIS_HTTPS"], "0.0.0.0:443");
    assert_eq!(variables["DEIS_HOST"], "{{.Node.Hostname}}");
}

#[test]
fn the_builder_knows_the_routers() {
    let state = test_state(&["lab1", "lab2"]);
    assert_eq!(variables(&state, Unit::Builder)["DEIS_ROUTERS"], "10.0.0.1:80,10.0.0.2:80");
}

#[test]
fn a_changed_setting_changes_only_the_units_concerned() {
    let before = test_state(&["lab1"]);
    let mut after = test_state(&["lab1"]);
    after.identities =
        serde_json::from_value(serde_json::to_value(&before.identities).expect("json")).expect("same");
    after.secrets = before.secrets.clone();
    after.settings.set("controller", "readyTimeoutSeconds", Some("30"));
    let changed = Unit::ALL.into_iter().filter(|unit| {
        let of = |state: &State| workload(state, *unit).expect("a workload").fingerprint();
        of(&before) != of(&after)
    });
    assert_eq!(changed.collect::<Vec<_>>(), [Unit::Controller]);
}

#[test]
fn passwords_are_in_files_and_not_in_environments() {
    let state = test_state(&["lab1"]);
    for unit in Unit::ALL {
        let workload = workload(&state, unit).expect("a workload");
        let values: Vec<_> = workload.environment.0.values().map(String::as_str).collect();
        for secret in [&state.secrets.internal_key, &state.secrets.database_password, "KEY:SECRET"] {
            assert!(!values.concat().contains(secret), "{unit}");
        }
    }
    let controller = workload(&state, Unit::Controller).expect("a workload");
    assert!(file(&controller, SETTINGS).contains("database = \"postgres://deis:"));
    let registry = workload(&state, Unit::Registry).expect("a workload");
    assert_eq!(file(&registry, SETTINGS), "store = \"s3://KEY:SECRET@deis?endpoint=http://10.0.0.9\"\n");
}

#[test]
fn only_roles_that_need_it_have_the_engine() {
    let state = test_state(&["lab1"]);
    for unit in Unit::ALL {
        let host = workload(&state, unit).expect("a workload").host.expect("a host's parts");
        assert_eq!(host.mounts.iter().any(|mount| mount.target == ENGINE), unit.has_engine(), "{unit}");
        assert_eq!(host.mounts[0].source, format!("/var/lib/deis/{unit}"));
    }
}

#[test]
fn what_could_not_work_in_a_cluster_is_refused_with_the_cure() {
    let mut state = test_state(&["lab1"]);
    assert!(check(&state).is_ok());
    state.settings.set("store", "url", Some("file:///var/lib/deis/store"));
    let refused = check(&state).expect_err("a store of one host").to_string();
    assert!(refused.contains("deisctl config store set url='s3://"), "{refused}");
    state.settings.set("store", "url", Some("s3://deis"));
    state.settings.set("database", "url", Some("sqlite:///var/lib/deis/deis.sqlite"));
    assert!(check(&state).is_err());
    state.settings.set("database", "url", None);
    state.settings.set("platform", "domain", None);
    let refused = check(&state).expect_err("no domain").to_string();
    assert_eq!(refused, "Missing platform domain, use:\ndeisctl config platform set domain=<your-domain>");
}

/// How long the engine waits for `unit` before it kills it.
fn stop_grace(state: &State, unit: Unit) -> Option<u32> {
    workload(state, unit).expect("a workload").host.expect("a host's parts").stop_grace_seconds
}

#[test]
fn a_router_is_killed_only_when_its_notice_and_drain_are_long_over() {
    let mut state = test_state(&["lab1"]);
    assert_eq!((stop_grace(&state, Unit::Router), stop_grace(&state, Unit::Builder)), (Some(45), None));
    state.settings.set("router", "noticeSeconds", Some("60"));
    state.settings.set("router", "drainSeconds", Some("1800"));
    assert_eq!((stop_grace(&state, Unit::Router), stop_grace(&state, Unit::Builder)), (Some(1875), None));
    let variables = variables(&state, Unit::Router);
    assert_eq!((&*variables["DEIS_NOTICE_SECONDS"], &*variables["DEIS_DRAIN_SECONDS"]), ("60", "1800"));
}

#[test]
fn what_routers_of_an_earlier_version_took_is_refused_before_it_reaches_one() {
    let mut state = test_state(&["lab1"]);
    state.settings.set("router", "noticeSeconds", Some("900"));
    let refused = workload(&state, Unit::Router).expect_err("too long").to_string();
    assert!(refused.contains("noticeSeconds = 900") && refused.contains("from 0 to 600"), "{refused}");
    assert!(refused.contains("deisctl config router set noticeSeconds="), "{refused}");
    assert!(workload(&state, Unit::Builder).is_ok());
}

#[test]
fn a_scaled_unit_has_a_number_in_place_of_one_per_host() {
    let mut state = test_state(&["lab1", "lab2", "lab3"]);
    let of = |state: &State| {
        let workload = workload(state, Unit::Router).expect("a workload");
        (workload.spread, workload.replicas)
    };
    assert_eq!(of(&state), (Spread::Hosts, 1));
    state.wishes.units.entry(Unit::Router).or_default().replicas = Some(2);
    assert_eq!(of(&state), (Spread::Replicas, 2));
}
