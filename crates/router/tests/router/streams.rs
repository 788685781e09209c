//! Common requests over HTTP/2 take a shorter way than others too, stream by stream: nobody must see a difference.

mod compressed;

use std::collections::BTreeSet;

use bytes::Bytes;
use deis_api::internal::PlatformRoutes;
use futures::stream;
use http::{HeaderMap, Method, Request, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::forms::{FORMS, fixed, is_passing, scene};
use crate::support::h2::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, H2, HEADERS, Outgoing, PING, RST_STREAM, fields, request,
};
use crate::support::{App, Scene, read_head, until};

const BLOG: &str = "http://blog.example.com";

/// An answer without what differs each time: status, sorted headers and trailers, sorted lines of the body. None if there
/// was none.
type Seen = Option<(u16, BTreeSet<String>, BTreeSet<String>, BTreeSet<String>)>;

async fn seen(client: &H2, request: Request<Outgoing>) -> Seen {
    let reply = client.ask(request).await.ok()?;
    let lines = reply.text().lines().filter(|line| !is_passing(line)).map(str::to_owned);
    Some((reply.status, shown(&reply.headers), shown(&reply.trailers), lines.collect()))
}

fn shown(headers: &HeaderMap) -> BTreeSet<String> {
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    lines.filter(|line| !is_passing(line)).collect()
}

fn empty() -> Outgoing {
    Empty::new().boxed()
}

fn full(text: &'static str) -> Outgoing {
    Full::new(Bytes::from_static(text.as_bytes())).boxed()
}

/// A body whose length nobody knows before its end.
fn streamed(parts: &[&'static str]) -> Outgoing {
    let frames: Vec<_> =
        parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
    StreamBody::new(stream::iter(frames)).boxed()
}

fn ask(method: &str, path: &str, headers: &[(&str, &str)], body: Outgoing) -> Request<Outgoing> {
    let url = if path.starts_with('/') { format!("{BLOG}{path}") } else { path.to_owned() };
    let mut request = Request::builder().method(method).uri(url).version(Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

#[tokio::test]
async fn requests_look_the_same_to_the_app_and_answers_to_the_visitor() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    let requests: &[&dyn Fn() -> Request<Outgoing>] = &[
        &|| ask("GET", "/", &[], empty()),
        &|| ask("HEAD", "/", &[], empty()),
        &|| {
            ask(
                "GET",
                "/echo?a=b&c=%20",
                &[("accept", "*/*"), ("cookie", "a=b; c=d"), ("cookie", "e")],
                empty(),
            )
        },
        &|| {
            ask(
                "GET",
                "/echo",
                &[("x-two", "1"), ("x-two", "2"), ("x-empty", ""), ("te", "trailers")],
                empty(),
            )
        },
        &|| ask("GET", "/echo", &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")], empty()),
        &|| ask("GET", "/echo", &[("forwarded", "for=x"), ("x_forwarded_for", "1.2.3.4")], empty()),
        &|| ask("GET", "/echo", &[("x-real-ip", "1.2.3.4"), ("x-request-id", "mine")], empty()),
        &|| ask("GET", "/echo", &[("accept-encoding", "gzip")], empty()),
        &|| ask("GET", "/echo", &[("via", "1.1 cdn (x)"), ("via", "1.0 fred")], empty()),
        &|| ask("GET", "/echo", &[("via", "2 deis, 2 deis, 2 deis, 2 deis, 2 deis"); 2], empty()),
        &|| ask("GET", "/echo", &[("host", "BLOG.example.com")], empty()),
        &|| ask("GET", "/echo", &[("host", "other.example.com")], empty()),
        &|| ask("POST", "/echo", &[("content-type", "text/plain")], full("hello")),
        &|| ask("POST", "/echo", &[], streamed(&["hel", "lo"])),
        &|| ask("POST", "/echo", &[("expect", "100-continue")], full("hello")),
        &|| ask("PUT", "/echo", &[("content-length", "0")], empty()),
        &|| ask("POST", "/echo", &[], empty()),
        &|| ask("PATCH", "/sink", &[], full("x")),
        &|| ask("DELETE", "/echo", &[], empty()),
        &|| ask("BREW", "/echo", &[], empty()),
        &|| ask("GET", "http://BLOG.example.com:8080/echo", &[], empty()),
        &|| ask("GET", "http://nobody.example.com/", &[("accept", "text/plain")], empty()),
        &|| ask("GET", "http://nobody.example.com/health-check", &[], empty()),
        &|| ask("GET", "/.well-known/acme-challenge/x", &[], empty()),
    ];
    for make in requests {
        let (one, other) = (H2::connect(short.addresses.http).await, H2::connect(long.addresses.http).await);
        for round in 0..2 {
            let shown = seen(&one, make()).await;
            assert_eq!(shown, seen(&other, make()).await, "{:?} in round {round}", make());
            assert!(shown.is_some(), "{:?}", make());
        }
    }
}

#[tokio::test]
async fn answers_of_every_form_look_the_same() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    for (text, closes) in FORMS {
        let app = fixed(text, *closes).await;
        short.route("blog", 3, &[&app]).await;
        long.route("blog", 3, &[&app]).await;
        let (one, other) = (H2::connect(short.addresses.http).await, H2::connect(long.addresses.http).await);
        for method in ["GET", "POST"] {
            let shown = seen(&one, ask(method, "/", &[], empty())).await;
            assert_eq!(shown, seen(&other, ask(method, "/", &[], empty())).await, "{method} {text:?}");
        }
    }
}

#[tokio::test]
async fn more_than_a_length_promised_never_reaches_the_next_visitor() {
    for short in [true, false] {
        let scene = Scene::with(|config| config.short_way = short).await;
        // In one piece, so that all of it is there when the first answer is read.
        let twice =
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        let app = fixed(twice, false).await;
        scene.route("blog", 2, &[&app]).await;
        let client = H2::connect(scene.addresses.http).await;
        for _ in 0..20 {
            assert_eq!(client.get(&format!("{BLOG}/")).await.text(), "hi");
        }
    }
}

#[tokio::test]
async fn answers_of_any_length_pass_whole_and_at_once() {
    for short in [true, false] {
        let (scene, _app) = scene(short).await;
        let client = H2::connect(scene.addresses.http).await;
        let all = (0..4).map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get(&format!("{BLOG}/big")).await.body.len() })
        });
        for length in all.collect::<Vec<_>>() {
            assert_eq!(length.await.unwrap(), 64 * 1024 * 1024);
        }
    }
}

#[tokio::test]
async fn a_request_that_is_taken_back_is_given_up() {
    for short in [true, false] {
        let scene = Scene::with(|config| config.short_way = short).await;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let app = App::raw(move |_, mut stream| {
            let sender = sender.clone();
            async move {
                let head = read_head(&mut stream).await.unwrap();
                if head.starts_with("GET /answer ") {
                    let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
                    let _ = stream.write_all(begun).await;
                }
                sender.send("asked").unwrap();
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                sender.send("gone").unwrap();
            }
        });
        let app = app.await;
        scene.route("blog", 2, &[&app]).await;
        let mut frames = Frames::connect(scene.addresses.http).await;
        for (stream, path) in [(1, &b"/wait"[..]), (3, b"/answer")] {
            ask_by(&mut frames, stream, path).await;
            assert_eq!(heard(&mut receiver).await, "asked");
            if stream == 3 {
                assert_eq!(frames.next().await.unwrap().kind, HEADERS);
                assert_eq!(frames.next().await.unwrap().kind, DATA);
            }
            frames.send(RST_STREAM, 0, stream, &8_u32.to_be_bytes()).await;
            assert_eq!(heard(&mut receiver).await, "gone");
        }
    }
}

/// Asks the app for `path`, by the frame that opens `stream`.
async fn ask_by(frames: &mut Frames, stream: u32, path: &[u8]) {
    let head = [
        (":method", &b"GET"[..]),
        (":scheme", b"http"),
        (":path", path),
        (":authority", b"blog.example.com"),
    ];
    frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&head)).await;
}

async fn heard(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<&'static str>) -> &'static str {
    let heard = tokio::time::timeout(crate::support::PATIENCE, receiver.recv()).await;
    heard.expect("the app says so in time").unwrap()
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to() {
    for short in [true, false] {
        let scene = Scene::with(|config| config.short_way = short).await;
        let app = fixed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", true).await;
        scene.route("blog", 2, &[&app]).await;
        let mut frames = Frames::connect(scene.addresses.http).await;
        ask_by(&mut frames, 1, b"/").await;
        let mut kinds = Vec::new();
        while !matches!(kinds.last(), Some(&(RST_STREAM | GOAWAY))) {
            kinds.push(frames.next().await.unwrap().kind);
        }
        assert_eq!((kinds[0], *kinds.last().unwrap()), (HEADERS, RST_STREAM), "{kinds:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_is_given_up_though_its_client_is_there() {
    let (scene, _) = scene(true).await;
    let app = fixed("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", false).await;
    scene.route("blog", 3, &[&app]).await;
    let settings = [("timeout/idle".to_owned(), "1".to_owned())].into();
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    ask_by(&mut frames, 1, b"/").await;
    while frames.next().await.unwrap().kind != RST_STREAM {
        frames.send(PING, 0, 0, &[0; 8]).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_app_that_does_not_answer_in_time_is_told_of() {
    for short in [true, false] {
        let (scene, app) = scene(short).await;
        scene.set("blog", &[("timeout/answer", "200ms")]).await;
        let client = H2::connect(scene.addresses.http).await;
        let held = client.ask(request(Method::GET, &format!("{BLOG}/hold"))).await.unwrap();
        assert_eq!(held.status, 504);
        until(|| app.requests() == 1).await;
        assert_eq!(client.get(&format!("{BLOG}/")).await.text(), "blog");
    }
}
