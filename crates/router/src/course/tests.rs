//! What may be tried again, how much of it, and who is out.

use super::*;
use crate::config::Config;
use crate::routes::Routes;
use deis_api::internal::PlatformRoutes;
use deis_model::{AppId, AppRoute, Canary, ContainerName, Endpoint as Address, ReleaseVersion};

const HOST: &str = "deis.example.com";

fn shared(ports: &[u16]) -> Shared {
    let platform = PlatformRoutes {
        controller_hosts: vec![HOST.to_owned()],
        controllers: ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect(),
        ..PlatformRoutes::default()
    };
    let routes = Routes { platform, ..Routes::default() };
    Shared::new(Config::new("key", "/nowhere"), &routes)
}

fn endpoints(shared: &Shared) -> Vec<Arc<Endpoint>> {
    shared.table.load().find(HOST).unwrap().endpoints.clone()
}

#[test]
fn only_idempotent_requests_that_are_whole_are_repeated() {
    for (method, expected) in
        [("GET", true), ("PUT", true), ("DELETE", true), ("POST", false), ("PATCH", false), ("LOCK", false)]
    {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        assert_eq!(may_repeat(is_idempotent(&method), false), expected, "{method}");
        assert!(!may_repeat(is_idempotent(&method), true), "{method} with half of its body gone");
    }
}

#[test]
fn what_was_surely_not_sent_is_sent_again_whatever_it_is() {
    let shared = shared(&[1]);
    let mut course = Course::new(&shared, HOST, false);
    let endpoint = &endpoints(&shared)[0];
    assert!(course.failed(endpoint, Setback::Unsent, false).is_ok());
    assert!(course.failed(endpoint, Setback::Unanswered { is_new: false }, false).is_err());
}

#[test]
fn retries_are_a_share_of_the_requests() {
    let shared = shared(&[1]);
    let mut repeated = 0;
    for _ in 0..3_000 {
        let mut course = Course::new(&shared, HOST, true);
        let place = course.place().unwrap().expect("a place");
        let setback = Setback::Unanswered { is_new: true };
        repeated += u32::from(course.failed(place.flight.endpoint(), setback, true).is_ok());
    }
    // What it holds at first and a fifth of the requests; time adds some.
    assert!((1_000..2_500).contains(&repeated), "{repeated} of 3000 were repeated");
}

#[tokio::test]
async fn endpoints_that_bring_no_answers_are_out_but_never_more_than_half() {
    let shared = shared(&[1, 2, 3]);
    let (endpoints, course) = (endpoints(&shared), Course::new(&shared, HOST, true));
    for endpoint in &endpoints {
        (0..10).for_each(|_| _ = course.late(endpoint));
    }
    let out: Vec<_> = endpoints.iter().map(|endpoint| endpoint.ejection.is_out(shared.clock.now())).collect();
    assert_eq!(out, [true, false, false]);
}

/// An app with containers at `stable` ports, and a release that is tried out at `tried`.
fn with_canary(stable: &[u16], tried: &[u16]) -> Shared {
    let endpoints = |release: u32, ports: &[u16]| -> Vec<Address> {
        let container = |number| ContainerName::parse(&format!("blog_v{release}.web.{number}")).unwrap();
        let address =
            |port: &u16| Address { container: container(*port), address: ([127, 0, 0, 1], *port).into() };
        ports.iter().map(address).collect()
    };
    let (release, canary) = (ReleaseVersion::new(2), ReleaseVersion::new(3).unwrap());
    let route = AppRoute {
        hosts: vec![HOST.to_owned()],
        release,
        endpoints: endpoints(2, stable),
        canary: Some(Canary { release: canary, endpoints: endpoints(3, tried), health_check: None }),
        settings: [("canary".to_owned(), "50".to_owned())].into(),
        ..AppRoute::new(AppId::parse("blog").unwrap())
    };
    let routes = Routes { apps: [(route.app.clone(), route.into())].into(), ..Routes::default() };
    Shared::new(Config::new("key", "/nowhere"), &routes)
}

#[tokio::test]
async fn a_release_that_is_tried_out_and_fails_is_out_however_few_there_are() {
    let check = |stable: &[u16], tried: &[u16], expected: &[bool]| {
        let shared = with_canary(stable, tried);
        let course = Course::new(&shared, HOST, true);
        let table = shared.table.load();
        let endpoints: Vec<_> = table.find(HOST).unwrap().all_endpoints().rev().cloned().collect();
        for endpoint in &endpoints {
            (0..10).for_each(|_| _ = course.late(endpoint));
        }
        let now = shared.clock.now();
        let out: Vec<_> = endpoints.iter().rev().map(|endpoint| endpoint.ejection.is_out(now)).collect();
        assert_eq!(out, expected, "{stable:?} {tried:?}");
    };
    check(&[1], &[11], &[false, true]);
    check(&[1, 2], &[11, 12, 13], &[false, true, true, true, true]);
    check(&[1], &[11, 12], &[false, true, true]);
}
