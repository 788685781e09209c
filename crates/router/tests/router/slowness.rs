//! Clients that send bodies slowly, and those that only seem to.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use deis_router::Config;
use http::{Method, Request, Response};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use crate::support::h2::{H2, request};
use crate::support::{App, Client, Scene, read_head, respond, until};

const URL: &str = "http://blog.example.com/sink";

/// Half of a request.
const HALF: &str = "POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 10\r\n\r\nhello";

/// The same without a length.
const HALF_IN_CHUNKS: &str =
    "POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

async fn stage(app: &App, change: impl FnOnce(&mut Config)) -> Scene {
    let scene = Scene::with(change).await;
    scene.route("blog", 2, &[app]).await;
    scene
}

/// A rate that nobody reaches, asked for soon.
fn hurry(config: &mut Config) {
    (config.timeouts.body, config.limits.body_pace) = (Duration::from_millis(100), 1 << 40);
}

async fn is_given_up(client: &mut Client) {
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_a_body_is_given_up() {
    let app = App::start("blog").await;
    let scene = stage(&app, |config| config.timeouts.head = Duration::from_millis(500)).await;
    for half in [HALF, HALF_IN_CHUNKS] {
        let mut client = scene.client().await;
        client.send(half).await;
        is_given_up(&mut client).await;
    }
    scene.set("blog", &[("bufferRequests", "64k")]).await;
    let mut client = scene.client().await;
    client.send(HALF).await;
    is_given_up(&mut client).await;
    assert_eq!(app.requests(), 2, "what is taken in before costs the app nothing");
}

#[tokio::test]
async fn a_client_must_keep_to_a_rate() {
    let app = App::start("blog").await;
    let scene = stage(&app, hurry).await;
    let mut client = scene.client().await;
    client.send(HALF).await;
    is_given_up(&mut client).await;
}

#[tokio::test]
async fn over_http_2_only_the_request_is_given_up() {
    let app = App::start("blog").await;
    let scene = stage(&app, hurry).await;
    let client = H2::connect(scene.addresses.http).await;
    let (_silent, body) = Channel::<Bytes, Infallible>::new(1);
    let reply = client.ask(Request::post(URL).body(body.boxed()).unwrap()).await.unwrap();
    assert_eq!(reply.status, 408);
    assert_eq!(client.get("http://blog.example.com/").await.text(), "blog");
}

#[tokio::test]
async fn a_client_that_does_not_go_on_makes_room_for_others() {
    let app = App::start("blog").await;
    let scene = stage(&app, |config| {
        config.limits.connections = 1;
        config.timeouts.crowded_idle = Duration::from_millis(300);
    })
    .await;
    let mut slow = scene.client().await;
    slow.send(HALF).await;
    until(|| app.requests() == 1).await;
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
    is_given_up(&mut slow).await;
}

#[tokio::test]
async fn a_body_that_waits_for_the_app_is_not_held_against_the_client() {
    const LENGTH: usize = 32 * 1024 * 1024;
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let app = App::raw(move |_, mut stream| {
        let released = Arc::clone(&released);
        async move {
            read_head(&mut stream).await;
            released.notified().await;
            let mut body = (&mut stream).take(LENGTH as u64);
            tokio::io::copy(&mut body, &mut tokio::io::sink()).await.unwrap();
            respond(&mut stream, "all").await;
        }
    })
    .await;
    let scene = stage(&app, |config| config.timeouts.head = Duration::from_secs(2)).await;
    let mut client = scene.client().await;
    let sending = tokio::spawn(async move {
        let head = format!("POST / HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: {LENGTH}\r\n\r\n");
        client.send([head.as_bytes(), &vec![b'x'; LENGTH]].concat()).await;
        client.answer().await
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    release.notify_one();
    assert_eq!(sending.await.unwrap().text(), "all");
}

#[tokio::test]
async fn a_client_that_is_answered_meanwhile_may_take_its_time() {
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        let mut body = [0; 10];
        if stream.read_exact(&mut body).await.is_ok() {
            stream.write_all(b"4\r\ndone\r\n0\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let scene = stage(&app, |config| config.timeouts.head = Duration::from_secs(2)).await;
    let mut client = scene.client().await;
    client.send(HALF).await;
    assert_eq!(client.head().await.expect("an answer begins").status, 200);
    tokio::time::sleep(Duration::from_secs(3)).await;
    client.send("world").await;
    assert_eq!(client.chunks().await.expect("the answer goes on"), b"done");
}

async fn collect(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}

#[tokio::test]
async fn messages_to_an_app_that_speaks_http_2_come_when_there_are_any() {
    let app = App::raw(async |_, stream| {
        let serving = http2::Builder::new(TokioExecutor::new());
        let _ = serving.serve_connection(TokioIo::new(stream), service_fn(collect)).await;
    })
    .await;
    let scene = stage(&app, hurry).await;
    scene.set("blog", &[("protocol", "h2c")]).await;
    let client = H2::connect(scene.addresses.http).await;
    let (mut messages, body) = Channel::<Bytes, Infallible>::new(1);
    let asking =
        tokio::spawn(
            async move { client.ask(Request::post(URL).body(body.boxed()).unwrap()).await.unwrap() },
        );
    tokio::time::sleep(Duration::from_secs(1)).await;
    messages.send_data(Bytes::from_static(b"hello")).await.unwrap();
    drop(messages);
    let reply = asking.await.unwrap();
    assert_eq!((reply.status, reply.text()), (200, "hello"));
}

/// An app that answers with more than anybody takes in at once, and says in `ended` how many answers have broken off.
async fn endless(ended: &Arc<AtomicUsize>) -> App {
    let ended = Arc::clone(ended);
    App::raw(move |_, mut stream| {
        let ended = Arc::clone(&ended);
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(&chunk).await;
            }
            ended.fetch_add(1, Relaxed);
        }
    })
    .await
}

/// Lets go soon of clients that do not take what they are sent.
fn hurry_readers(config: &mut Config, short_way: bool) {
    (config.timeouts.take, config.limits.body_pace) = (Duration::from_millis(300), 1 << 40);
    config.short_way = short_way;
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_an_answer_is_disconnected() {
    for short_way in [true, false] {
        let ended = Arc::default();
        let app = endless(&ended).await;
        let scene = stage(&app, |config| hurry_readers(config, short_way)).await;
        let mut client = scene.client().await;
        client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
        until(|| ended.load(Relaxed) == 1).await;
        assert_eq!(client.head().await.expect("it began").status, 200);
    }
}

#[tokio::test]
async fn over_http_2_only_the_answer_that_nobody_takes_is_given_up() {
    for short_way in [true, false] {
        let ended = Arc::default();
        let (app, other) = (endless(&ended).await, App::start("other").await);
        let scene = stage(&app, |config| hurry_readers(config, short_way)).await;
        scene.route("other", 2, &[&other]).await;
        let client = H2::connect(scene.addresses.http).await;
        let _unread = client.begin(request(Method::GET, "http://blog.example.com/")).await.unwrap();
        until(|| ended.load(Relaxed) == 1).await;
        assert_eq!(client.get("http://other.example.com/").await.text(), "other");
    }
}

#[tokio::test]
async fn a_client_that_takes_nothing_makes_room_for_others() {
    for short_way in [true, false] {
        let ended = Arc::default();
        let app = endless(&ended).await;
        let scene = stage(&app, |config| {
            config.limits.connections = 1;
            config.timeouts.body = Duration::from_millis(300);
            config.short_way = short_way;
        })
        .await;
        let mut slow = scene.client().await;
        slow.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
        assert_eq!(slow.head().await.expect("it begins").status, 200);
        assert_eq!(scene.get("unknown", "/").await.status, 404);
    }
}

#[tokio::test]
async fn an_app_that_takes_its_time_is_not_held_against_the_client() {
    for short_way in [true, false] {
        let app = App::raw(async |_, mut stream| {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            stream.write_all(b"cd").await.unwrap();
            let _ = stream.read(&mut [0]).await;
        })
        .await;
        let scene = stage(&app, |config| hurry_readers(config, short_way)).await;
        assert_eq!(scene.get("blog", "/").await.text(), "abcd");
        let client = H2::connect(scene.addresses.http).await;
        assert_eq!(client.get("http://blog.example.com/").await.text(), "abcd");
    }
}

#[tokio::test]
async fn an_answer_that_stops_is_given_up_when_its_apps_settings_say() {
    for short_way in [true, false] {
        let app = App::raw(async |_, mut stream| {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await.unwrap();
            let _ = stream.read(&mut [0]).await;
        })
        .await;
        let scene = stage(&app, |config| {
            config.short_way = short_way;
            config.timeouts.head = Duration::from_secs(2);
        })
        .await;
        scene.set("blog", &[("timeout/idle", "1s")]).await;
        let mut client = scene.client().await;
        client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
        assert_eq!(client.head().await.expect("it begins").status, 200);
        assert_eq!(client.rest().await, b"ab");
        let client = H2::connect(scene.addresses.http).await;
        assert!(client.ask(request(Method::GET, "http://blog.example.com/")).await.is_err());
    }
}
