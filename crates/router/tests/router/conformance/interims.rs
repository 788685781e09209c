//! RFC 9110 section 15.2 and RFC 8297: what an app says before it answers.

use bytes::Bytes;
use h2::client;
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::HOST;
use crate::support::{App, PATIENCE, Scene, read_head};

/// What an app says first: two interim answers with much that ends at a proxy.
const FIRST: &str = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\
    Connection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\nX-Kept: 1\r\n\r\n";

/// And then.
const LAST: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

async fn scene(short: bool) -> Scene {
    Scene::with(|config| config.short_way = short).await
}

/// An app that says `FIRST`, and `LAST` once it is told to go on, each time.
async fn patient_app() -> (App, mpsc::Sender<()>) {
    let (go_on, told) = mpsc::channel(8);
    let told = std::sync::Arc::new(tokio::sync::Mutex::new(told));
    let app = App::raw(move |_, mut stream| {
        let told = std::sync::Arc::clone(&told);
        async move {
            while read_head(&mut stream).await.is_some() {
                let _ = stream.write_all(FIRST.as_bytes()).await;
                told.lock().await.recv().await;
                let _ = stream.write_all(LAST.as_bytes()).await;
            }
        }
    })
    .await;
    (app, go_on)
}

/// An app that answers every request with `text`.
async fn fixed(text: String) -> App {
    App::raw(move |_, mut stream| {
        let text = text.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                let _ = stream.write_all(text.as_bytes()).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_visitor_of_http_1_1_gets_them_at_once_and_without_what_ends_here() {
    let (scene, (app, go_on)) = (scene(true).await, patient_app().await);
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..2 {
        client.send(format!("GET / HTTP/1.1\r\n{HOST}\r\n")).await;
        assert_eq!(client.head().await.unwrap().line, "HTTP/1.1 102 Processing");
        let hints = client.head().await.unwrap();
        assert_eq!(hints.line, "HTTP/1.1 103 Early Hints", "8297 2");
        let shown: Vec<_> =
            hints.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // 9110 7.6.1 and 8.6.
        assert_eq!(shown, [("link", "</a.css>; rel=preload"), ("x-kept", "1")]);
        go_on.send(()).await.unwrap();
        assert_eq!(client.answer().await.text(), "hi");
    }
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn those_end_here_that_a_visitor_cannot_understand_or_the_library_cannot_send() {
    for (short, version) in [(true, "1.0"), (false, "1.0"), (false, "1.1")] {
        let (scene, app) = (scene(short).await, fixed(format!("{FIRST}{LAST}")).await);
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        client.send(format!("GET / HTTP/{version}\r\n{HOST}\r\n")).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status, head.header("link")), (200, None), "9110 15.2: HTTP/{version}");
    }
}

#[tokio::test]
async fn a_visitor_of_http_2_gets_them_too_whichever_way_it_takes() {
    for short in [true, false] {
        let (scene, (app, go_on)) = (scene(short).await, patient_app().await);
        scene.route("blog", 2, &[&app]).await;
        let stream = TcpStream::connect(scene.addresses.http).await.unwrap();
        let (mut sender, connection) = client::handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get("http://blog.example.com/").body(()).unwrap();
        let (mut answer, _) = sender.send_request(request, true).unwrap();
        let mut interim = async || {
            let polled = std::future::poll_fn(|context| answer.poll_informational(context));
            tokio::time::timeout(PATIENCE, polled).await.expect("it comes in time").unwrap().unwrap()
        };
        assert_eq!(interim().await.status(), 102);
        let hints = interim().await;
        let shown = hints.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let shown: Vec<_> = shown.collect();
        // 9113 8.2.2, 9110 8.6.
        assert_eq!(shown, [("link", "</a.css>; rel=preload"), ("x-kept", "1")], "{short}");
        go_on.send(()).await.unwrap();
        let mut answer = tokio::time::timeout(PATIENCE, answer).await.expect("it comes in time").unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), Bytes::from_static(b"hi"));
        connection.abort();
    }
}

#[tokio::test]
async fn they_are_no_answer_however_many_there_are() {
    let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(300);
    let long = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(30_000)).repeat(3);
    for text in [endless, long] {
        let (scene, app) = (scene(true).await, fixed(format!("{text}{LAST}")).await);
        scene.route("blog", 2, &[&app]).await;
        // 9112 9.3: what follows is not taken for the answer to another request.
        let mut client = scene.client().await;
        for _ in 0..2 {
            assert_eq!(client.get("blog.example.com", "/").await.status, 502, "9110 15.2");
        }
    }
}

#[tokio::test]
async fn they_give_an_app_no_more_time() {
    let (scene, (app, _go_on)) = (scene(true).await, patient_app().await);
    scene.route("blog", 2, &[&app]).await;
    scene.set("blog", &[("timeout/answer", "200ms")]).await;
    assert_eq!(scene.get("blog", "/").await.status, 504);
}

#[tokio::test]
async fn one_that_breaks_off_or_is_none_becomes_502() {
    for text in [
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink : x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n",
    ] {
        let scene = scene(true).await;
        let app = App::raw(move |_, mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(text.as_bytes()).await;
        })
        .await;
        scene.route("blog", 2, &[&app]).await;
        assert_eq!(scene.get("blog", "/").await.status, 502, "{text:?}");
    }
}
