//! The router while the controller is away, and while another router takes its place.

use std::net::SocketAddr;

use crate::support::{App, Client, Controller, Scene, config, start, until};

#[tokio::test]
async fn routes_stay_in_force_while_the_controller_is_away() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let Scene { controller, addresses, status, .. } = &scene;
    let address = controller.address();
    controller.cut().await;
    until(|| !status.snapshot().problems.is_empty()).await;
    let problem = &status.snapshot().problems[0];
    assert!(problem.cause.contains("failed to reach") && !problem.cure.is_empty(), "{problem:?}");
    assert_eq!(Client::connect(addresses.http).await.get("blog.example.com", "/").await.text(), "blog");
    // Another incarnation, which counts from the beginning.
    let other = App::start("other").await;
    let controller = Controller::at(address, "second", 0).await;
    let generation = controller.route("blog", 3, &[other.address()]);
    controller.applied(generation).await;
    until(|| status.snapshot().problems.is_empty()).await;
    assert_eq!(Client::connect(addresses.http).await.get("blog.example.com", "/").await.text(), "other");
}

#[tokio::test]
async fn a_router_starts_with_its_last_routes_when_no_controller_answers() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.shut_down();
    let state = scene.ended().await;
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    let (addresses, _, shutdown, running) = start(config(state.path(), nobody));
    assert_eq!(Client::connect(addresses.http).await.get("blog.example.com", "/").await.text(), "blog");
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_router_that_starts_with_old_routes_hears_the_controller_before_visitors() {
    let scene = Scene::new().await;
    scene.route("blog", 2, &[]).await;
    scene.shut_down();
    let state = scene.ended().await;
    let app = App::start("blog").await;
    let controller = Controller::at(SocketAddr::from(([127, 0, 0, 1], 0)), "second", 0).await;
    controller.route("blog", 3, &[app.address()]);
    let (addresses, _, shutdown, running) = start(config(state.path(), controller.address()));
    assert_eq!(Client::connect(addresses.http).await.get("blog.example.com", "/").await.text(), "blog");
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_router_that_ends_lets_requests_finish() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let (mut busy, mut idle) = (scene.client().await, scene.client().await);
    assert_eq!(idle.get("blog.example.com", "/").await.status, 200);
    busy.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    until(|| app.requests() == 2).await;
    scene.shut_down();
    until(|| std::net::TcpStream::connect(scene.addresses.http).is_err()).await;
    // A client that was idle is served once more, and told not to come again on this connection.
    let last = idle.get("blog.example.com", "/").await;
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    app.release();
    assert_eq!(busy.answer().await.text(), "blog");
    scene.ended().await;
}

#[tokio::test]
async fn an_idle_client_does_not_keep_a_router_from_ending() {
    let scene =
        Scene::with(|config| config.timeouts.shutdown_idle = std::time::Duration::from_millis(20)).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut idle = scene.client().await;
    assert_eq!(idle.get("blog.example.com", "/").await.status, 200);
    scene.shut_down();
    assert_eq!(idle.rest().await, b"");
    scene.ended().await;
}

#[tokio::test]
async fn a_second_router_can_take_over_the_same_addresses() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let state = tempfile::tempdir().unwrap();
    let mut settings = config(state.path(), scene.controller.address());
    settings.http = vec![scene.addresses.http];
    let asked = scene.controller.requests().len();
    let (addresses, _, shutdown, running) = start(settings);
    assert_eq!(addresses.http, scene.addresses.http);
    let is_other = |request: &deis_api::internal::RoutesRequest, first: &str| {
        request.router != first && request.applied > 0
    };
    let first = scene.controller.requests()[0].router.clone();
    until(|| scene.controller.requests()[asked..].iter().any(|request| is_other(request, &first))).await;
    scene.shut_down();
    let http = scene.addresses.http;
    let Scene { controller: _controller, .. } = &scene;
    until(|| !scene.is_running()).await;
    for _ in 0..20 {
        assert_eq!(Client::connect(http).await.get("blog.example.com", "/").await.text(), "blog");
    }
    shutdown.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn load_balancers_hear_of_the_end_before_the_doors_close() {
    let scene = Scene::with(|config| config.timeouts.notice = std::time::Duration::from_millis(300)).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut busy = scene.client().await;
    busy.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    until(|| app.requests() == 1).await;
    let mut balancer = Client::connect(scene.addresses.health).await;
    assert_eq!(balancer.get("balancer", "/health-check").await.status, 200);
    let mut asked_after = Client::connect(scene.addresses.http).await;
    scene.shut_down();
    while balancer.get("balancer", "/health-check").await.status != 503 {}
    assert_eq!(asked_after.get("blog.example.com", "/").await.header("connection"), Some("close"));
    until(|| std::net::TcpStream::connect(scene.addresses.http).is_err()).await;
    // For as long as visitors are served, also to those who ask anew.
    let mut other = Client::connect(scene.addresses.health).await;
    assert_eq!(other.get("balancer", "/health-check").await.status, 503);
    app.release();
    assert_eq!(busy.answer().await.text(), "blog");
    scene.ended().await;
}
