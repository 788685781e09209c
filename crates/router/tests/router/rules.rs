//! Settings of mesh and app, as visitors and apps notice them.

use std::collections::BTreeMap;

use deis_api::internal::PlatformRoutes;
use deis_model::routing::seal;

use crate::support::{Answer, App, Client, Scene};

/// A router with an app, `blog`.
struct Stage {
    scene: Scene,
    app: App,
}

impl Stage {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let app = App::start("blog").await;
        scene.route("blog", 2, &[&app]).await;
        Self { scene, app }
    }

    /// The same with these settings of the app.
    async fn with(settings: &[(&str, &str)]) -> Self {
        let stage = Self::new().await;
        stage.set(settings).await;
        stage
    }

    /// Sets these of the app and no others.
    async fn set(&self, settings: &[(&str, &str)]) {
        let settings = map(settings);
        let generation = self.scene.controller.reroute("blog", |route| route.settings = settings);
        self.scene.controller.applied(generation).await;
    }

    /// Sets these of the mesh and no others.
    async fn set_mesh(&self, settings: &[(&str, &str)]) {
        self.scene.platform(PlatformRoutes { settings: map(settings), ..PlatformRoutes::default() }).await;
    }

    /// One request with these lines beside `Host`.
    async fn ask(&self, method: &str, path: &str, lines: &[&str]) -> Answer {
        send(&mut self.scene.client().await, method, path, lines).await
    }

    async fn get(&self, lines: &[&str]) -> Answer {
        self.ask("GET", "/headers", lines).await
    }
}

async fn send(client: &mut Client, method: &str, path: &str, lines: &[&str]) -> Answer {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: blog.example.com\r\n{lines}\r\n")).await;
    client.answer().await
}

fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    let sealed = |(key, value): &(&str, &str)| ((*key).to_owned(), seal(key, value, || [7; 16]).unwrap());
    settings.iter().map(sealed).collect()
}

#[tokio::test]
async fn requests_are_sent_to_https() {
    let stage = Stage::with(&[("enforceHTTPS", "on")]).await;
    let answer = stage.ask("POST", "/a?b=c%20d", &["Content-Length: 0"]).await;
    let moved = Some("https://blog.example.com/a?b=c%20d");
    assert_eq!((answer.status, answer.header("location")), (301, moved));
    let answer = stage.get(&["X-Forwarded-Proto: https"]).await;
    assert_eq!(answer.status, 200, "a trusted load balancer says that the client speaks HTTPS");
    assert!(answer.text().contains("x-forwarded-port: 443\n"));
}

#[tokio::test]
async fn a_stranger_cannot_claim_to_speak_https() {
    let stage = Stage::with(&[("enforceHTTPS", "on")]).await;
    stage.set_mesh(&[("proxyRealIpCidr", "10.0.0.0/8")]).await;
    assert_eq!(stage.get(&["X-Forwarded-Proto: https"]).await.status, 301);
}

#[tokio::test]
async fn browsers_are_told_to_remember_https() {
    let stage = Stage::new().await;
    stage.set_mesh(&[("hsts/enabled", "on"), ("hsts/includeSubDomains", "on")]).await;
    let plain = stage.get(&[]).await;
    assert_eq!((plain.status, plain.header("strict-transport-security")), (301, None));
    let secure = stage.get(&["X-Forwarded-Proto: https"]).await;
    let told = Some("max-age=10886400; includeSubDomains");
    assert_eq!((secure.status, secure.header("strict-transport-security")), (200, told));
}

#[tokio::test]
async fn an_app_under_maintenance_says_so() {
    let stage = Stage::with(&[("maintenance", "on")]).await;
    let answer = stage.get(&[]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("300")));
    assert!(answer.text().contains("under maintenance"), "{}", answer.text());
    stage.set(&[("maintenance", "on"), ("maintenance/page", "<h1>Back soon</h1>")]).await;
    let answer = stage.get(&[]).await;
    assert_eq!((answer.status, answer.text()), (503, "<h1>Back soon</h1>"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    stage.set(&[]).await;
    assert_eq!(stage.get(&[]).await.status, 200);
    assert_eq!(stage.app.requests(), 1);
}

#[tokio::test]
async fn an_app_that_is_not_routable_is_not_there() {
    let stage = Stage::with(&[("routable", "off")]).await;
    let answer = stage.get(&[]).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("404 Not Found"), "{}", answer.text());
}

#[tokio::test]
async fn only_clients_on_the_list_come_in() {
    let stage = Stage::with(&[("whitelist", "192.0.2.0/24:office,[2001:db8::/32]:home")]).await;
    assert_eq!(stage.get(&[]).await.status, 403);
    for (client, status) in [("192.0.2.7", 200), ("2001:db8::7", 200), ("198.51.100.1", 403)] {
        let answer = stage.get(&[&format!("X-Forwarded-For: {client}")]).await;
        assert_eq!(answer.status, status, "{client}");
    }
}

#[tokio::test]
async fn without_a_list_nobody_comes_in_where_lists_are_enforced() {
    let stage = Stage::new().await;
    stage.set_mesh(&[("enforceWhitelist", "on")]).await;
    assert_eq!(stage.get(&[]).await.status, 403);
    stage.set(&[("whitelist", "127.0.0.1")]).await;
    assert_eq!(stage.get(&[]).await.status, 200);
    stage.set(&[]).await;
    stage.set_mesh(&[("enforceWhitelist", "on"), ("defaultWhitelist", "127.0.0.0/8")]).await;
    assert_eq!(stage.get(&[]).await.status, 200);
}

#[tokio::test]
async fn the_platforms_api_has_a_list_of_its_own() {
    let stage = Stage::new().await;
    let platform = |settings: &[(&str, &str)]| PlatformRoutes {
        controller_hosts: vec!["deis.example.com".to_owned()],
        controllers: vec![stage.app.address()],
        settings: map(settings),
        ..PlatformRoutes::default()
    };
    stage.scene.platform(platform(&[("controller/whitelist", "192.0.2.1")])).await;
    assert_eq!(stage.scene.get("deis", "/").await.status, 403);
    assert_eq!(stage.get(&[]).await.status, 200, "apps are not concerned");
    stage.scene.platform(platform(&[("controller/whitelist", "127.0.0.1")])).await;
    assert_eq!(stage.scene.get("deis", "/").await.status, 200);
}

#[tokio::test]
async fn a_name_and_a_password_let_in() {
    let stage = Stage::with(&[("basicAuth", "alice:secret")]).await;
    let answer = stage.get(&[]).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
    // alice:wrong
    assert_eq!(stage.get(&["Authorization: Basic YWxpY2U6d3Jvbmc="]).await.status, 401);
    for _ in 0..3 {
        assert_eq!(stage.get(&["Authorization: Basic YWxpY2U6c2VjcmV0"]).await.status, 200);
    }
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits() {
    let stage = Stage::with(&[("rateLimit", "1r/m"), ("rateLimit/burst", "3")]).await;
    for _ in 0..3 {
        assert_eq!(stage.get(&[]).await.status, 200);
    }
    let answer = stage.get(&[]).await;
    assert_eq!(answer.status, 429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(stage.get(&["X-Forwarded-For: 192.0.2.7"]).await.status, 200, "another client");
}

#[tokio::test]
async fn an_app_sets_the_size_of_bodies() {
    let stage = Stage::with(&[("bodySize", "10")]).await;
    let mut client = stage.scene.client().await;
    client
        .send("POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 10\r\n\r\n0123456789")
        .await;
    assert!(client.answer().await.text().ends_with("\n\n0123456789"));
    assert_eq!(stage.ask("POST", "/echo", &["Content-Length: 11"]).await.status, 413);
    let mut client = stage.scene.client().await;
    let lines = ["Transfer-Encoding: chunked", "", "b", "01234567890", "0", ""];
    assert_eq!(send(&mut client, "POST", "/echo", &lines).await.status, 413);
    stage.set(&[("bodySize", "0")]).await;
    let body = "x".repeat(100_000);
    let mut client = stage.scene.client().await;
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head + &body).await;
    assert!(client.answer().await.text().ends_with(&body));
}

#[tokio::test]
async fn headers_of_requests_and_answers_are_changed() {
    let stage = Stage::with(&[
        ("header/request/X-Added", "by the router"),
        ("header/request/X-Secret", ""),
        ("header/response/X-Frame-Options", "DENY"),
        ("referrerPolicy", "no-referrer"),
        ("requestStart", "off"),
    ])
    .await;
    let answer = stage.get(&["X-Secret: 1", "X-Added: by the client", "X-Request-Start: t=1"]).await;
    assert!(answer.text().contains("x-added: by the router\n"), "{}", answer.text());
    for absent in ["x-secret", "by the client", "x-request-start"] {
        assert!(!answer.text().contains(absent), "{absent} in {}", answer.text());
    }
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
}

#[tokio::test]
async fn browsers_are_told_where_they_come_from_by_pages_of_the_router_too() {
    let stage = Stage::with(&[("referrerPolicy", "no-referrer"), ("maintenance", "on")]).await;
    let answer = stage.get(&[]).await;
    assert_eq!((answer.status, answer.header("referrer-policy")), (503, Some("no-referrer")));
    stage.set(&[("referrerPolicy", ""), ("header/request/X-A", "1")]).await;
    assert_eq!(stage.get(&[]).await.header("referrer-policy"), None);
}

#[tokio::test]
async fn attacks_are_stopped_where_that_is_wanted() {
    let stage = Stage::new().await;
    let attack = "/?q=%3Cscript%3Ealert(1)";
    assert_eq!(stage.ask("GET", attack, &[]).await.status, 200);
    stage.set(&[("firewall/enabled", "on"), ("firewall/errorCode", "418")]).await;
    assert_eq!(stage.ask("GET", attack, &[]).await.status, 418);
    assert_eq!(stage.ask("GET", "/?q=script", &[]).await.status, 200);
}

#[tokio::test]
async fn timeouts_and_trust_hold_from_the_next_request_on() {
    let stage = Stage::new().await;
    let mut client = stage.scene.client().await;
    let lines = ["X-Forwarded-For: 192.0.2.7"];
    let seen = send(&mut client, "GET", "/headers", &lines).await;
    assert!(seen.text().contains("x-forwarded-for: 192.0.2.7\n"), "{}", seen.text());
    stage.set_mesh(&[("proxyRealIpCidr", "10.0.0.0/8"), ("timeout/answer", "50ms")]).await;
    let seen = send(&mut client, "GET", "/headers", &lines).await;
    assert!(seen.text().contains("x-forwarded-for: 127.0.0.1\n"), "{}", seen.text());
    assert_eq!(send(&mut client, "GET", "/hold", &[]).await.status, 504);
}

#[tokio::test]
async fn settings_that_this_router_does_not_know_are_left_out() {
    let stage = Stage::with(&[("fromTheFuture", "1"), ("bodySize", "nonsense"), ("maintenance", "on")]).await;
    assert_eq!(stage.get(&[]).await.status, 503);
}

#[tokio::test]
async fn a_wildcard_and_names_in_other_letters_lead_to_an_app() {
    let stage = Stage::new().await;
    let generation = stage.scene.controller.reroute("blog", |route| {
        route.hosts = vec!["*.wild.test".to_owned(), "xn--bcher-kva.test".to_owned()];
    });
    stage.scene.controller.applied(generation).await;
    let mut client = stage.scene.client().await;
    for (host, status) in [
        ("a.wild.test", 200),
        ("a.b.wild.test", 200),
        ("wild.test", 404),
        ("xn--bcher-kva.test", 200),
        ("Bücher.test", 200),
        ("blog.example.com", 404),
    ] {
        assert_eq!(client.get(host, "/").await.status, status, "{host}");
    }
}

#[tokio::test]
async fn an_app_may_take_lines_without_carriage_returns() {
    const OLD: &str = "GET / HTTP/1.1\nHost: blog.example.com\n\n";
    let stage = Stage::new().await;
    let mut client = stage.scene.client().await;
    client.send(OLD).await;
    assert_eq!(client.answer().await.status, 400);
    stage.set(&[("framing/allowBareLf", "on")]).await;
    let mut client = stage.scene.client().await;
    for _ in 0..2 {
        client.send(OLD).await;
        assert_eq!(client.answer().await.text(), "blog");
    }
    client.send("POST / HTTP/1.1\nHost: blog.example.com\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 400);
}
