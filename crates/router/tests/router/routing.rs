//! Which app answers, and what the router answers itself.

use crate::support::{App, Client, Scene};
use deis_api::internal::PlatformRoutes;

#[tokio::test]
async fn a_request_reaches_the_app_that_its_host_names() {
    let scene = Scene::new().await;
    let (blog, shop) = (App::start("blog").await, App::start("shop").await);
    scene.route("blog", 2, &[&blog]).await;
    scene.route("shop", 3, &[&shop]).await;
    let mut client = scene.client().await;
    for (host, expected) in [
        ("blog.example.com", "blog"),
        ("shop.example.com", "shop"),
        ("BLOG.Example.Com", "blog"),
        ("blog.example.com:8080", "blog"),
        ("blog.example.com.", "blog"),
        ("www.shop.test", "shop"),
    ] {
        let answer = client.get(host, "/").await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{host}");
    }
}

#[tokio::test]
async fn an_address_in_the_request_line_names_the_host() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET http://blog.example.com/where?x=1 HTTP/1.1\r\nHost: other.example.com\r\n\r\n").await;
    let answer = client.answer().await;
    assert!(answer.text().starts_with("GET /where?x=1\n"), "{}", answer.text());
    assert!(answer.text().contains("host: blog.example.com\n"));
}

#[tokio::test]
async fn an_unknown_host_gets_a_page_that_says_404() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: nobody.example.com\r\nAccept: text/html\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("404 Not Found"));
    assert!(answer.text().contains(answer.header("x-request-id").unwrap()));
    let health = client.get("nobody.example.com", "/health-check").await;
    assert_eq!((health.status, health.text(), health.header("content-type")), (200, "", Some("text/plain")));
}

#[tokio::test]
async fn an_app_without_containers_gets_503() {
    let scene = Scene::new().await;
    scene.route("blog", 2, &[]).await;
    assert_eq!(scene.get("blog", "/").await.status, 503);
}

#[tokio::test]
async fn the_platforms_own_host_leads_to_the_controller() {
    let scene = Scene::new().await;
    let api = App::start("api").await;
    let generation = scene.controller.platform(PlatformRoutes {
        controller_hosts: vec!["deis.example.com".to_owned()],
        controllers: vec![api.address()],
        ..PlatformRoutes::default()
    });
    scene.controller.applied(generation).await;
    assert_eq!(scene.get("deis", "/").await.text(), "api");
}

#[tokio::test]
async fn a_controller_that_is_away_is_not_taken_for_an_app() {
    let scene = Scene::new().await;
    let generation = scene.controller.platform(PlatformRoutes {
        controller_hosts: vec!["deis.example.com".to_owned()],
        controllers: vec![([127, 0, 0, 1], 1).into()],
        ..PlatformRoutes::default()
    });
    scene.controller.applied(generation).await;
    let answer = scene.get("deis", "/").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("the platform's controller does not answer"), "{}", answer.text());
}

#[tokio::test]
async fn health_and_metrics_have_a_port_of_their_own() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.get("blog", "/").await;
    let mut client = Client::connect(scene.addresses.health).await;
    let health = client.get("anything", "/health-check").await;
    assert_eq!((health.status, health.text()), (200, ""));
    let metrics = client.get("anything", "/metrics").await;
    assert!(metrics.text().contains("deis_router_answers_total{class=\"2xx\"} 1\n"), "{}", metrics.text());
    assert!(metrics.text().contains("deis_router_apps 1\n"));
}

async fn set_mesh(scene: &Scene, settings: &[(&str, &str)]) {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
}

#[tokio::test]
async fn metrics_are_not_for_everybody_and_health_is() {
    let scene = Scene::new().await;
    let mut client = Client::connect(scene.addresses.health).await;
    for (readers, expected) in [("192.0.2.0/24", 403), ("192.0.2.0/24,127.0.0.1", 200)] {
        set_mesh(&scene, &[("metrics/whitelist", readers)]).await;
        let metrics = client.get("any", "/metrics").await;
        assert_eq!((metrics.status, metrics.text().contains("deis_")), (expected, expected == 200));
        assert_eq!(client.get("any", "/health-check").await.status, 200);
    }
}

#[tokio::test]
async fn more_visitors_find_a_place_as_soon_as_that_is_allowed() {
    let scene = Scene::with(|config| config.limits.connections = 1).await;
    let _first = scene.client().await;
    let mut second = scene.client().await;
    let mut third = scene.client().await;
    for client in [&mut second, &mut third] {
        client.send("GET / HTTP/1.1\r\nHost: unknown.example.com\r\n\r\n").await;
    }
    set_mesh(&scene, &[("maxWorkerConnections", "64"), ("connectionLimit", "0")]).await;
    assert_eq!((second.answer().await.status, third.answer().await.status), (404, 404));
}
