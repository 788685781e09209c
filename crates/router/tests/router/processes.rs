//! Two routers as processes of their own, which are killed and replaced; and the controller is lost.

use std::collections::BTreeSet;

use deis_api::internal::RoutesRequest;

use crate::support::{App, Controller, Crowd, Place, until};

/// How many requests are answered between one event and the next at least.
const REQUESTS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_outlive_a_killed_router_replaced_ones_and_the_controller() {
    let (controller, app) = (Controller::start().await, App::start("blog").await);
    let generation = controller.route("blog", 1, &[app.address()]);
    let (first, second) = (Place::new(controller.address()), Place::new(controller.address()));
    let (killed, replaced) = (first.start().await, second.start().await);
    let has_applied = |request: &&RoutesRequest| request.applied >= generation;
    let routers = || {
        let requests = controller.requests();
        requests.iter().filter(has_applied).map(|request| request.router.clone()).collect::<BTreeSet<_>>()
    };
    until(|| routers().len() == 2).await;
    // Those who know both routers try the other one where the first takes no connection; nobody sends anything twice.
    let mut patient = Crowd::start(&[first.http(), second.http()]);
    let mut strict = Crowd::start(&[second.http()]);
    patient.come(REQUESTS).await;
    patient.kill(first.http(), || killed.kill());
    patient.come(REQUESTS).await;
    let next = second.start().await;
    strict.come(REQUESTS).await;
    replaced.end().await;
    strict.come(REQUESTS).await;
    controller.cut().await;
    strict.come(REQUESTS).await;
    let last = second.start().await;
    next.end().await;
    patient.come(REQUESTS).await;
    let (patient, strict) = (patient.end().await, strict.end().await);
    assert!(patient.answered >= 3 * REQUESTS && strict.answered >= 3 * REQUESTS);
    eprintln!("{} requests were under way to the router that was killed", patient.lost);
    assert_eq!(strict.lost, 0, "nobody else notices anything");
    last.end().await;
}
