//! Reports, and what they make of endpoints.

use super::*;

fn endpoint(name: &str, ready: bool) -> ReportedEndpoint {
    ReportedEndpoint {
        container: ContainerName::parse(name).unwrap(),
        id: name.to_owned(),
        address: "10.0.0.2:5000".parse().unwrap(),
        ready,
        reason: None,
    }
}

fn take(reports: &Reports, endpoints: &[(&str, bool)]) -> Vec<String> {
    let endpoints = endpoints.iter().map(|(name, ready)| endpoint(name, *ready)).collect();
    let report = EndpointReport { lease_seconds: 20, revision: "1".to_owned(), endpoints: Some(endpoints) };
    reports.take("here", report, Instant::now()).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn a_report_names_the_apps_that_changed() {
    let reports = Reports::default();
    assert_eq!(take(&reports, &[("a_v1.web.1", false), ("b_v1.web.1", true)]), ["a", "b"]);
    assert_eq!(take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]), ["a"]);
    assert_eq!(take(&reports, &[("a_v1.web.1", true)]), ["b"]);
    assert!(take(&reports, &[("a_v1.web.1", true)]).is_empty());
}

#[test]
fn a_passed_lease_withdraws_only_what_does_not_run() {
    let reports = Reports::default();
    take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]);
    let later = Instant::now() + Duration::from_secs(21);
    assert!(reports.has_expired(later));
    let changed = reports.expire(later, |endpoint| endpoint.id.starts_with('a'));
    assert_eq!(changed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b"]);
    assert_eq!(reports.ready_endpoints(&AppId::parse("a").unwrap(), |_| true).len(), 1);
}

#[test]
fn of_two_incarnations_only_the_one_that_the_engine_has_is_routed() {
    let (reports, now, app) = (Reports::default(), Instant::now(), AppId::parse("a").unwrap());
    let report = |host: &str, id: &str, port: u16, lease_seconds: u32| {
        let address = ([10, 0, 0, 1], port).into();
        let found = ReportedEndpoint { id: id.to_owned(), address, ..endpoint("a_v1.web.1", true) };
        let revision = format!("{id} for {lease_seconds} s");
        reports.take(host, EndpointReport { lease_seconds, revision, endpoints: Some(vec![found]) }, now);
    };
    let routed = || {
        let found = reports.ready_endpoints(&app, |_| true);
        found.iter().map(|endpoint| endpoint.address.port()).collect::<Vec<_>>()
    };
    report("cut-off", "old", 1, 10);
    report("other", "new", 2, 20);
    assert_eq!(routed(), [2], "reported last");
    report("cut-off", "old", 1, 30);
    assert_eq!(routed(), [1]);
    reports.note_current(&app, &[ContainerStatus { id: "new".to_owned(), ..running("a_v1.web.1") }]);
    assert_eq!(routed(), [2]);
    assert_eq!(reports.forget_host("other").len(), 1);
    assert!(routed().is_empty(), "the engine knows nothing of what is left");
}

fn running(name: &str) -> ContainerStatus {
    ContainerStatus {
        name: ContainerName::parse(name).unwrap(),
        id: name.to_owned(),
        state: ContainerState::Up,
        address: Some(([10, 0, 0, 2], 5000).into()),
        health_check: Some(deis_model::HealthCheck::default()),
        restarts: 0,
        started_at: 0,
        exit_code: None,
        out_of_memory: false,
        trouble: None,
        misplaced: false,
        fingerprint: String::new(),
    }
}

#[test]
fn what_ran_before_is_routed_until_a_publisher_says_otherwise_or_it_ends() {
    let (reports, now) = (Reports::default(), Instant::now());
    let routed = |app: &str| reports.ready_endpoints(&AppId::parse(app).unwrap(), |_| true).len();
    let ran = running("a_v1.web.1");
    reports.presume(vec![ran.clone(), running("b_v1.web.1"), running("c_v1.web.1")], now);
    assert_eq!((routed("a"), routed("b"), routed("c")), (1, 1, 1));
    assert!(!reports.is_ready(&ran), "nobody has probed it");
    take(&reports, &[("b_v1.web.1", false)]);
    assert_eq!((routed("a"), routed("b")), (1, 0));
    reports.expire(now, |endpoint| endpoint.id != "c_v1.web.1");
    assert_eq!((routed("a"), routed("c")), (1, 0));
}

fn keep_alive(revision: &str) -> EndpointReport {
    EndpointReport { lease_seconds: 20, revision: revision.to_owned(), endpoints: None }
}

#[test]
fn a_report_is_renewed_by_its_revision_as_long_as_it_is_known() {
    let (reports, later) = (Reports::default(), Instant::now() + Duration::from_secs(15));
    assert_eq!(reports.take("here", keep_alive("1"), later), None, "nothing was reported yet");
    take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]);
    assert_eq!(reports.take("here", keep_alive("2"), later), None);
    assert_eq!(reports.take("here", keep_alive("1"), later), Some(BTreeSet::new()));
    assert!(!reports.has_expired(later + Duration::from_secs(15)));
    reports.expire(later + Duration::from_secs(21), |endpoint| endpoint.id.starts_with('a'));
    assert_eq!(reports.take("here", keep_alive("1"), later), None, "some of it was dropped");
}

#[test]
fn endpoints_of_a_silent_host_give_way_to_others_but_the_last_ones_stay() {
    let (reports, now) = (Reports::default(), Instant::now());
    let routed = |app: &str| {
        let found = reports.ready_endpoints(&AppId::parse(app).unwrap(), |_| true);
        found.iter().map(|endpoint| endpoint.container.short()).collect::<Vec<_>>()
    };
    take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]);
    let other = EndpointReport { endpoints: Some(vec![endpoint("a_v1.web.2", true)]), ..keep_alive("other") };
    let later = now + Duration::from_secs(60);
    reports.take("other", other, later).unwrap();
    assert!(reports.lapse(now).is_empty());
    assert_eq!(routed("a"), ["web.1", "web.2"]);
    assert_eq!(reports.lapse(later).len(), 2);
    assert!(reports.lapse(later).is_empty(), "it is known by now");
    assert_eq!((routed("a"), routed("b")), (vec!["web.2".to_owned()], vec!["web.1".to_owned()]));
    assert_eq!(reports.take("here", keep_alive("1"), later).unwrap().len(), 2);
    assert_eq!(routed("a"), ["web.1", "web.2"]);
}

#[test]
fn what_only_is_presumed_makes_nothing_give_way() {
    let (reports, later) = (Reports::default(), Instant::now() + Duration::from_secs(60));
    take(&reports, &[("a_v1.web.1", true)]);
    reports.presume(vec![running("a_v1.web.2")], later);
    reports.lapse(later);
    assert_eq!(reports.ready_endpoints(&AppId::parse("a").unwrap(), |_| true).len(), 2);
}
