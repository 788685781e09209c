//! Bodies that do not come whole with their heads: passed on as they come, and what becomes of those that do not end.

mod early;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::conformance::{Got, read_whole};
use crate::support::{App, Authority, PATIENCE, Scene, Visitor, read_head, respond, until};

const HEAD: &str = "POST /in HTTP/1.1\r\nHost: blog.example.com\r\n";

const ECHO: &str = "POST /echo HTTP/1.1\r\nHost: blog.example.com\r\n";

/// Beginnings of uploads that go on.
fn halves() -> [String; 2] {
    [
        format!("{HEAD}Content-Length: 10\r\n\r\nhello"),
        format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ]
}

async fn stage(app: &App) -> Scene {
    let scene = Scene::new().await;
    scene.route("blog", 2, &[app]).await;
    scene
}

/// An app that answers whole requests and hands over what it got; none for what a connection ended in.
async fn recording() -> (App, UnboundedReceiver<Option<Got>>) {
    let (sender, receiver) = unbounded_channel();
    let app = App::raw(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            loop {
                let got = read_whole(&mut stream).await;
                let is_last = got.is_none();
                // A test that has seen enough has gone.
                let _ = sender.send(got);
                if is_last {
                    break;
                }
                respond(&mut stream, "ok").await;
            }
        }
    })
    .await;
    (app, receiver)
}

async fn next<T>(receiver: &mut UnboundedReceiver<T>) -> T {
    tokio::time::timeout(PATIENCE, receiver.recv()).await.expect("it comes in time").expect("the app lives")
}

/// What the app gets next, whichever connections end before that.
async fn next_whole(receiver: &mut UnboundedReceiver<Option<Got>>) -> Got {
    loop {
        if let Some(got) = next(receiver).await {
            return got;
        }
    }
}

#[tokio::test]
async fn what_follows_an_upload_is_the_next_request() {
    let (app, mut got) = recording().await;
    let scene = stage(&app).await;
    let mut client = scene.client().await;
    let after = "GET /after HTTP/1.1\r\nHost: blog.example.com\r\n\r\n";
    for (half, rest) in halves().iter().zip(["world", "5;x=\"y\"\r\nworld\r\n0\r\nX-Sum: 1\r\n\r\n"]) {
        client.send(half).await;
        until(|| app.connections() == 1).await;
        client.send(format!("{rest}{after}")).await;
        assert_eq!((client.answer().await.status, client.answer().await.status), (200, 200));
        let upload = next_whole(&mut got).await;
        assert_eq!((upload.line.as_str(), upload.body.as_str()), ("POST /in HTTP/1.1", "helloworld"));
        assert!(upload.fields.iter().all(|field| !field.starts_with("x-sum")), "{upload:?}");
        assert_eq!(next_whole(&mut got).await.line, "GET /after HTTP/1.1");
    }
    let line = "deis_app_received_bytes_total{app=\"blog\",release=\"v2\"} 20";
    scene.metrics(|text| text.lines().any(|found| found == line)).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_makes_no_whole_request() {
    let (app, mut got) = recording().await;
    let scene = stage(&app).await;
    for (half, connections) in halves().iter().zip([1, 3]) {
        let mut client = scene.client().await;
        client.send(half).await;
        until(|| app.connections() == connections).await;
        drop(client);
        assert!(next(&mut got).await.is_none());
        assert_eq!(scene.get("blog", "/after").await.status, 200);
        assert_eq!(next(&mut got).await.expect("it is whole").line, "GET /after HTTP/1.1");
        assert_eq!(app.connections(), connections + 1, "the connection carries no other request");
        // One that is kept would be taken for the next.
        scene.route("blog", 3, &[]).await;
        assert!(next(&mut got).await.is_none());
        scene.route("blog", 2, &[&app]).await;
    }
}

#[tokio::test]
async fn an_app_that_dies_in_the_middle_is_not_asked_again() {
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let _ = stream.read_exact(&mut [0; 3]).await;
    })
    .await;
    let scene = stage(&app).await;
    for (count, half) in halves().iter().enumerate() {
        // Were it not for its body, it could be sent again.
        let mut client = scene.client().await;
        client.send(half.replacen("POST", "PUT", 1)).await;
        assert_eq!(client.answer().await.status, 502);
        assert_eq!(app.connections(), count + 1);
    }
}

#[tokio::test]
async fn an_upload_of_which_nothing_was_sent_goes_to_another_app() {
    let left = Arc::new(AtomicUsize::new(1));
    let dying = Arc::clone(&left);
    let app = App::raw(move |_, mut stream| {
        let dying = Arc::clone(&dying);
        async move {
            read_head(&mut stream).await;
            if dying.swap(0, SeqCst) == 0 {
                let _ = stream.read_exact(&mut [0; 5]).await;
                respond(&mut stream, "ok").await;
            }
        }
    })
    .await;
    let scene = stage(&app).await;
    let mut client = scene.client().await;
    client.send("PUT /in HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\n\r\n").await;
    until(|| app.connections() == 2).await;
    client.send("hello").await;
    assert_eq!(client.answer().await.text(), "ok");
}

#[tokio::test]
async fn what_is_wrong_in_the_middle_ends_the_upload() {
    let (app, mut got) = recording().await;
    let scene = stage(&app).await;
    scene.set("blog", &[("bodySize", "8")]).await;
    for (connections, (rest, status)) in [
        ("x\r\nworld\r\n0\r\n\r\n", 400),
        ("-5\r\nworld\r\n0\r\n\r\n", 400),
        ("5\r\nworld\r\n0\r\n\r\n", 413),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = scene.client().await;
        client.send(&halves()[1]).await;
        until(|| app.connections() == connections + 1).await;
        client.send(rest).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{rest:?}");
        assert_eq!(client.rest().await, b"");
        assert!(next(&mut got).await.is_none(), "{rest:?}");
    }
}

#[tokio::test]
async fn what_follows_an_upload_that_is_too_large_is_no_request() {
    let (app, mut got) = recording().await;
    let scene = stage(&app).await;
    scene.set("blog", &[("bodySize", "8")]).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: blog.example.com\r\n\r\n";
    let chunk = format!("{:x}\r\n{hidden}\r\n", hidden.len());
    for rest in ["0\r\n\r\n", "fff\r\n"] {
        let mut client = scene.client().await;
        client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunk}{rest}{hidden}{hidden}")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (413, Some("close")), "{rest:?}");
        assert_eq!(client.rest().await, b"", "{rest:?}");
    }
    assert_eq!(scene.get("blog", "/last").await.status, 200);
    assert_eq!(next_whole(&mut got).await.line, "GET /last HTTP/1.1");
}

#[tokio::test]
async fn a_client_is_told_to_go_on_once_whoever_says_it() {
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        let _ = stream.read_exact(&mut [0; 5]).await;
        respond(&mut stream, "ok").await;
    })
    .await;
    let scene = stage(&app).await;
    let mut client = scene.client().await;
    client
        .send(format!("{HEAD}Connection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"))
        .await;
    assert_eq!(client.head().await.unwrap().status, 100);
    client.send("hello").await;
    let text = String::from_utf8(client.rest().await).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nok"), "{text}");
}

#[tokio::test]
async fn uploads_over_tls_are_the_same() {
    let (scene, app, authority) = (Scene::secured().await, App::start("blog").await, Authority::new());
    scene.route("blog", 2, &[&app]).await;
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let visitor = Visitor::new(&authority, &["http/1.1"]);
    let mut client = visitor.client(scene.addresses.https.unwrap(), "blog.example.com").await;
    for length in [5, 100_000] {
        let body = "x".repeat(length);
        client.send(format!("{ECHO}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status, 100);
        client.send(&body).await;
        assert!(client.answer().await.text().ends_with(&format!("\n\n{body}")));
        client.send(format!("{ECHO}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n")).await;
        client.send(format!("{body}\r\n")).await;
        client.send("0\r\n\r\n").await;
        assert!(client.answer().await.text().ends_with(&format!("\n\n{body}")));
    }
}
