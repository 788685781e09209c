//! What requests leave in access logs.

use std::collections::BTreeMap;

use deis_api::client::Peers;
use deis_api::internal::PlatformRoutes;

use crate::support::{App, Logger, PATIENCE, Scene};

/// The lines of the router's own access log once there are `count`.
async fn lines(scene: &Scene, count: usize) -> Vec<String> {
    let path = scene.state.path().join("access.log");
    let read = async {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if text.lines().count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the lines are written in time")
}

async fn scene() -> Scene {
    Scene::with(|config| config.access_log = Some(config.state_dir.join("access.log"))).await
}

fn settings(set: &[(&str, &str)]) -> BTreeMap<String, String> {
    set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn every_request_leaves_a_line_that_cannot_be_forged() {
    let scene = scene().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client
        .send(
            "GET /a?b=c HTTP/1.1\r\nHost: blog.example.com\r\nUser-Agent: me \"1.2.3.4 - -\r\n\
             X-Forwarded-For: 203.0.113.9\r\nX-Request-Id: r1\r\nAuthorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n",
        )
        .await;
    let length = client.answer().await.body.len();
    assert_eq!(client.get("nobody.example.com", "/").await.status, 404);
    let lines = lines(&scene, 2).await;
    let address = app.address();
    let (before, rest) = lines[0].split_once(" [").unwrap();
    let (_, rest) = rest.split_once("] ").unwrap();
    assert_eq!(before, "203.0.113.9 - alice");
    let expected = format!(
        "\"GET /a?b=c HTTP/1.1\" 200 {length} \"-\" \"me \\x221.2.3.4 - -\" \"blog.example.com\" blog v2 {address} "
    );
    assert!(rest.starts_with(&expected) && rest.ends_with(" r1 -"), "{rest}");
    assert!(lines[1].contains(" 404 ") && lines[1].contains("\"nobody.example.com\" - - - "), "{}", lines[1]);
    assert!(!lines.concat().contains("secret") && !lines.concat().contains("YWxp"));
}

#[tokio::test]
async fn the_mesh_chooses_form_and_sample_at_any_time() {
    let scene = scene().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let set = |set: &[(&str, &str)]| {
        scene.controller.platform(PlatformRoutes { settings: settings(set), ..PlatformRoutes::default() })
    };
    scene.controller.applied(set(&[("accessLog", "json"), ("accessLog/sample", "0")])).await;
    assert_eq!(scene.get("blog", "/sampled").await.status, 200);
    scene.route("idle", 2, &[]).await;
    assert_eq!(scene.get("idle", "/failed").await.status, 503);
    let failed: serde_json::Value = serde_json::from_str(&lines(&scene, 1).await[0]).unwrap();
    assert_eq!(
        (&failed["path"], &failed["status"], &failed["app"]),
        (&"/failed".into(), &503.into(), &"idle".into())
    );
    scene.controller.applied(set(&[("accessLog", "off")])).await;
    assert_eq!(scene.get("idle", "/unseen").await.status, 503);
    scene.controller.applied(set(&[])).await;
    assert_eq!(scene.get("blog", "/last").await.status, 200);
    assert!(lines(&scene, 2).await[1].contains("GET /last "));
}

#[tokio::test]
async fn an_app_gets_requests_in_its_own_log_if_it_asks() {
    let logger = Logger::start().await;
    let peers = Peers::new([logger.address()], None);
    let scene = Scene::with(|config| config.loggers = Some(peers)).await;
    let app = App::start("blog").await;
    scene.route("quiet", 2, &[&app]).await;
    scene.route("blog", 2, &[&app]).await;
    scene.set("blog", &[("accessLog", "json")]).await;
    for host in ["quiet", "blog", "blog"] {
        assert_eq!(scene.get(host, "/").await.status, 200);
    }
    let records = logger.records(2).await;
    for record in &records {
        assert_eq!((record.app.as_str(), record.source.as_str()), ("blog", "router"));
        let line: serde_json::Value = serde_json::from_str(&record.text).unwrap();
        assert_eq!((&line["host"], &line["status"]), (&"blog.example.com".into(), &200.into()));
    }
    assert_eq!(records.len(), 2);
}

#[tokio::test]
async fn a_logger_that_is_away_holds_nobody_up() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = Peers::new([nowhere.local_addr().unwrap()], None);
    let scene = Scene::with(|config| config.loggers = Some(peers)).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    scene.set("blog", &[("accessLog", "json")]).await;
    for _ in 0..50 {
        assert_eq!(scene.get("blog", "/").await.text(), "blog");
    }
    scene.shut_down();
    scene.ended().await;
}
