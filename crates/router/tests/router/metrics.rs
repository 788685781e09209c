//! What operators read on the health port.

use std::io::{self, Read};
use std::time::Duration;

use tokio::net::TcpSocket;

use crate::support::{App, Client, Scene, until};

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|found| found == line)
}

#[tokio::test]
async fn requests_are_counted_by_app_and_release() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    for _ in 0..3 {
        assert_eq!(scene.get("blog", "/").await.status, 200);
    }
    let mut client = scene.client().await;
    client.send("POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\n\r\n12345").await;
    assert_eq!(client.answer().await.text(), "5");
    let lines = [
        "deis_app_requests_total{app=\"blog\",release=\"v2\",class=\"2xx\"} 4",
        "deis_app_received_bytes_total{app=\"blog\",release=\"v2\"} 5",
        "deis_app_sent_bytes_total{app=\"blog\",release=\"v2\"} 13",
        "deis_app_request_seconds_count{app=\"blog\",release=\"v2\"} 4",
        "deis_app_requests_in_flight{app=\"blog\",release=\"v2\"} 0",
        "deis_router_requests_total{protocol=\"1.1\"} 4",
    ];
    scene.metrics(|text| lines.iter().all(|line| has(text, line))).await;
}

#[tokio::test]
async fn the_release_before_stays_until_the_next_and_a_removed_app_goes() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    let count = |release: u32| {
        format!("deis_app_requests_total{{app=\"blog\",release=\"v{release}\",class=\"2xx\"}} 1")
    };
    for release in 2..=4 {
        scene.route("blog", release, &[&app]).await;
        assert_eq!(scene.get("blog", "/").await.status, 200);
        scene.metrics(|text| has(text, &count(release))).await;
    }
    let text = scene.metrics(|_| true).await;
    assert!(has(&text, &count(3)) && !has(&text, &count(2)), "{text}");
    let generation = scene.controller.remove("blog");
    scene.controller.applied(generation).await;
    scene.metrics(|text| !text.contains("blog")).await;
}

#[tokio::test]
async fn what_is_no_request_is_counted() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    for field in ["X : a", "Content-Length: five"] {
        let mut client = scene.client().await;
        client.send(format!("GET / HTTP/1.1\r\nHost: blog.example.com\r\n{field}\r\n\r\n")).await;
        assert_eq!(client.answer().await.status, 400);
    }
    scene.metrics(|text| has(text, "deis_router_requests_malformed_total 2")).await;
    assert_eq!(app.requests(), 0);
}

#[tokio::test]
async fn requests_that_the_app_does_not_answer_count_too() {
    let scene = Scene::new().await;
    scene.route("blog", 2, &[]).await;
    assert_eq!(scene.get("blog", "/").await.status, 503);
    scene.metrics(|text| text.contains("class=\"5xx\"} 1")).await;
    assert_eq!(scene.get("nobody", "/").await.status, 404);
    let text = scene.metrics(|text| has(text, "deis_router_answers_total{class=\"4xx\"} 1")).await;
    assert!(!text.contains("nobody"), "{text}");
}

/// Reads an exposition as Prometheus's own library for Python does, and prints how many samples and which kinds it has.
const PARSER: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
families = list(parse(sys.stdin.read()))
names = [family.name for family in families]
assert len(set(names)) == len(names), 'a family comes twice'
for family in families:
    assert family.type != 'unknown', family.name
    if family.type == 'histogram':
        last = {}
        for sample in family.samples:
            of = tuple(sorted(label for label in sample.labels.items() if label[0] != 'le'))
            if sample.name.endswith('_bucket'):
                assert sample.value >= last.get(of, 0), 'buckets add up'
                last[of] = sample.value
            if sample.name.endswith('_count'):
                assert sample.value == last[of], 'the last bucket holds all'
print(sum(len(family.samples) for family in families), sorted({family.type for family in families}))
";

#[tokio::test]
async fn what_is_told_is_what_others_read() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    for name in ["blog", "shop"] {
        scene.route(name, 2, &[&app]).await;
        assert_eq!(scene.get(name, "/").await.status, 200);
    }
    assert_eq!(scene.get("nobody", "/").await.status, 404);
    let text = scene.metrics(|text| text.contains("app=\"blog\"") && text.contains("app=\"shop\"")).await;
    // The distribution's, for which script/test installs the library.
    let mut parser = tokio::process::Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("there is python3: script/test installs it");
    let mut input = parser.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, text.as_bytes()).await.unwrap();
    drop(input);
    let read = parser.wait_with_output().await.unwrap();
    assert!(read.status.success(), "{}\n{text}", String::from_utf8_lossy(&read.stderr));
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    let samples: usize = said.split(' ').next().and_then(|count| count.parse().ok()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples, lines, "{said}");
    assert!(said.contains("['counter', 'gauge', 'histogram']"), "{said}");
}

#[tokio::test]
async fn metrics_are_compressed_for_those_who_take_that() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(scene.get("blog", "/").await.status, 200);
    let line = "deis_app_requests_total{app=\"blog\",release=\"v2\",class=\"2xx\"} 1";
    let plain = scene.metrics(|text| has(text, line)).await;
    let mut client = Client::connect(scene.addresses.health).await;
    for _ in 0..2 {
        client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert!(answer.body.len() < plain.len() / 2, "{} of {}", answer.body.len(), plain.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).unwrap();
        assert!(has(&text, line), "{text}");
    }
    client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.header("content-encoding"), has(answer.text(), line)), (None, true));
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_disconnected() {
    let scene = Scene::with(|config| config.timeouts.scrape = Duration::from_millis(300)).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stuck = socket.connect(scene.addresses.health).await.unwrap();
    // Asks for more and more, far beyond what the system keeps for it, and reads none of it.
    let has_ended = || {
        let asked = stuck.try_write(&b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
        asked.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    };
    until(has_ended).await;
    scene.metrics(|text| text.contains("deis_router_")).await;
}
