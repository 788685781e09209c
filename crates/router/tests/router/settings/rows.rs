//! Settings that show in the answer to one request.

use deis_api::internal::PlatformRoutes;
use deis_model::routing::{Scope, Setting};
use tokio::io::AsyncWriteExt;

use super::{Settings, map};
use crate::support::{Answer, App, Scene, read_head};

/// What visitors ask with unless a row says otherwise.
const ASK: &str =
    "GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\nX-Forwarded-Proto: https\r\n\r\n";

/// A setting, and what it changes.
pub(super) struct Row {
    pub(super) key: &'static str,
    value: &'static str,
    /// Others that it needs to be noticed: of the mesh, and of the app.
    mesh: Settings,
    app: Settings,
    ask: &'static str,
    /// What is looked at.
    seen: fn(&Answer) -> String,
    /// What that is without the setting; none where nothing comes.
    without: Option<&'static str>,
    with: &'static str,
}

impl Row {
    const fn new(
        key: &'static str,
        value: &'static str,
        seen: fn(&Answer) -> String,
        without: &'static str,
        with: &'static str,
    ) -> Self {
        Self { key, value, mesh: &[], app: &[], ask: ASK, seen, without: Some(without), with }
    }
}

pub(super) const ROWS: [Row; 13] = [
    Row { mesh: &[("compression", "gzip,br")], ..Row::new("gzip", "off", coding, "gzip", "-") },
    Row { mesh: &[("compression", "br")], ..Row::new("gzip", "on", coding, "-", "gzip") },
    Row::new("gzipCompLevel", "9", effort, "0", "2"),
    Row {
        ask: "GET / HTTP/1.0\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\n\r\n",
        ..Row::new("gzipHttpVersion", "1.0", coding, "-", "gzip")
    },
    Row::new("gzipMinLength", "1m", coding, "gzip", "-"),
    Row {
        ask: "GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\nVia: 1.1 cache\r\n\r\n",
        ..Row::new("gzipProxied", "off", coding, "gzip", "-")
    },
    Row::new("gzipTypes", "text/css", coding, "gzip", "-"),
    Row::new("gzipVary", "off", |answer| field(answer, "vary"), "Accept-Encoding", "-"),
    Row {
        mesh: &[("hsts/enabled", "on")],
        ..Row::new("hsts/maxAge", "7", hsts, "max-age=10886400", "max-age=7")
    },
    Row {
        mesh: &[("hsts/enabled", "on")],
        ..Row::new("hsts/preload", "on", hsts, "max-age=10886400", "max-age=10886400; preload")
    },
    Row {
        mesh: &[("defaultWhitelist", "127.0.0.0/8")],
        app: &[("whitelist", "192.0.2.1")],
        ..Row::new("whitelistMode", "override", status, "200", "403")
    },
    Row {
        mesh: &[("maintenance", "on")],
        ..Row::new("maintenance/retryAfter", "7s", |answer| field(answer, "retry-after"), "300", "7")
    },
    Row {
        ask: "GET /silence HTTP/1.1\r\nHost: blog.example.com\r\n\r\n",
        without: None,
        ..Row::new("defaultTimeout", "50ms", status, "", "504")
    },
];

fn field(answer: &Answer, name: &str) -> String {
    answer.header(name).unwrap_or("-").to_owned()
}

fn coding(answer: &Answer) -> String {
    field(answer, "content-encoding")
}

fn hsts(answer: &Answer) -> String {
    field(answer, "strict-transport-security")
}

fn status(answer: &Answer) -> String {
    answer.status.to_string()
}

/// How hard the one who compressed says that it tried: 2 is the most. Source: RFC 1952 section 2.3.1.
fn effort(answer: &Answer) -> String {
    answer.body.get(8).map_or_else(|| "-".to_owned(), u8::to_string)
}

/// Answers with a text that is worth compressing, except for one path.
pub(super) async fn app() -> App {
    App::raw(|_, mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            if head.contains(" /silence ") {
                return std::future::pending().await;
            }
            let text = "words and words ".repeat(600);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

/// What is seen of `row` with this more set for the mesh and for the app.
async fn seen(scene: &Scene, row: &Row, mesh: Option<&str>, app: Option<&str>) -> String {
    let with = |set: Settings, value: Option<&str>| {
        let mut settings = map(set);
        settings.extend(value.map(|value| (row.key.to_owned(), value.to_owned())));
        settings
    };
    let (of_mesh, of_app) = (with(row.mesh, mesh), with(row.app, app));
    scene.platform(PlatformRoutes { settings: of_mesh, ..PlatformRoutes::default() }).await;
    let generation = scene.controller.reroute("blog", |route| route.settings = of_app);
    scene.controller.applied(generation).await;
    let mut client = scene.client().await;
    client.send(row.ask).await;
    (row.seen)(&client.answer().await)
}

#[tokio::test]
async fn settings_show_in_answers() {
    let (scene, app) = (Scene::new().await, app().await);
    scene.route("blog", 2, &[&app]).await;
    for row in &ROWS {
        let is_for_apps = Setting::find(row.key).expect(row.key).scope == Scope::Both;
        if let Some(without) = row.without {
            assert_eq!(seen(&scene, row, None, None).await, without, "without {}", row.key);
        }
        assert_eq!(seen(&scene, row, Some(row.value), None).await, row.with, "{} of the mesh", row.key);
        assert!(is_for_apps, "{} is looked at in another way if it is the mesh's alone", row.key);
        assert_eq!(seen(&scene, row, None, Some(row.value)).await, row.with, "{} of an app", row.key);
    }
}
