//! RFC 9110 section 10.1.1: clients that wait with their body until they hear that it is wanted.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{self, ResponseFuture};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{HOST, Stage};
use crate::support::{App, PATIENCE, Scene, read_head};

/// A request over HTTP/2 that is under way.
struct Asking {
    answer: ResponseFuture,
    body: SendStream<Bytes>,
}

impl Asking {
    /// Begins with a request for this host that has a body of two bytes, of which none is sent.
    async fn begin(scene: &Scene, host: &str, length: &str, expect: &str) -> Self {
        let stream = TcpStream::connect(scene.addresses.http).await.unwrap();
        let (mut sender, connection) = client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://{host}/in"));
        let request = request.header("content-length", length).header("expect", expect).body(()).unwrap();
        let (answer, body) = sender.send_request(request, false).unwrap();
        Self { answer, body }
    }

    /// The status of the next interim answer; none if the answer itself is there.
    async fn interim(&mut self) -> Option<u16> {
        let polled = poll_fn(|context| self.answer.poll_informational(context));
        let interim = tokio::time::timeout(PATIENCE, polled).await.expect("it comes in time")?;
        Some(interim.unwrap().status().as_u16())
    }

    /// The answer.
    async fn end(self) -> Response<RecvStream> {
        tokio::time::timeout(PATIENCE, self.answer).await.expect("it comes in time").unwrap()
    }
}

#[tokio::test]
async fn a_client_is_told_to_go_on_when_its_body_is_wanted() {
    let stage = Stage::new().await;
    for expect in ["100-continue", "100-Continue"] {
        let mut client = stage.scene.client().await;
        client
            .send(format!("POST /in HTTP/1.1\r\n{HOST}Content-Length: 2\r\nExpect: {expect}\r\n\r\n"))
            .await;
        assert_eq!(client.head().await.unwrap().line, "HTTP/1.1 100 Continue");
        client.send("hi").await;
        assert_eq!(client.head().await.unwrap().status, 200);
        let mut asking = Asking::begin(&stage.scene, "blog.example.com", "2", expect).await;
        assert_eq!(asking.interim().await, Some(100), "9113 8.1");
        asking.body.send_data(Bytes::from_static(b"hi"), true).unwrap();
        assert_eq!(asking.interim().await, None);
        assert_eq!(asking.end().await.status(), 200);
        for got in stage.take() {
            assert_eq!((got.line.as_str(), got.body.as_str()), ("POST /in HTTP/1.1", "hi"));
            assert!(got.fields.iter().all(|field| !field.starts_with("expect")), "{got:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_taken_in_before_is_wanted_too() {
    let stage = Stage::new().await;
    stage.scene.set("blog", &[("bufferRequests", "64k")]).await;
    let mut asking = Asking::begin(&stage.scene, "blog.example.com", "2", "100-continue").await;
    assert_eq!(asking.interim().await, Some(100));
    assert!(stage.take().is_empty());
    asking.body.send_data(Bytes::from_static(b"hi"), true).unwrap();
    assert_eq!(asking.end().await.status(), 200);
}

#[tokio::test]
async fn a_client_that_does_not_wait_is_told_nothing() {
    let stage = Stage::new().await;
    for expect in ["tea", "100-continue"] {
        let mut asking = Asking::begin(&stage.scene, "blog.example.com", "2", expect).await;
        asking.body.send_data(Bytes::from_static(b"hi"), true).unwrap();
        // Whether head and body come at the same time is not known.
        let interim = asking.interim().await;
        assert!(interim.is_none() || expect != "tea", "{interim:?}");
        assert_eq!(asking.end().await.status(), 200);
    }
}

#[tokio::test]
async fn a_client_whose_request_is_refused_is_not_told_to_go_on() {
    let stage = Stage::new().await;
    for (settings, host, length, status) in [
        (&[("bodySize", "1k")][..], "blog.example.com", "2000", 413),
        (&[("whitelist", "10.0.0.0/8")], "blog.example.com", "2", 403),
        (&[("maintenance", "true")], "blog.example.com", "2", 503),
        (&[], "nobody.example.com", "2", 404),
    ] {
        stage.scene.set("blog", settings).await;
        let mut client = stage.scene.client().await;
        let head = format!("POST /in HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        client.send(format!("{head}Expect: 100-continue\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status, status);
        let mut asking = Asking::begin(&stage.scene, host, length, "100-continue").await;
        assert_eq!(asking.interim().await, None, "{status}");
        assert_eq!(asking.end().await.status(), status);
    }
    assert!(stage.take().is_empty());
}

#[tokio::test]
async fn a_client_is_told_to_go_on_once_whoever_says_it() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        while read_head(&mut stream).await.is_some() {
            let text = "HTTP/1.1 100 Continue\r\n\r\n".repeat(2);
            let answer =
                format!("{text}HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut asking = Asking::begin(&scene, "blog.example.com", "2", "100-continue").await;
    let mut interims = Vec::new();
    while let Some(interim) = asking.interim().await {
        interims.push(interim);
    }
    assert!(interims == [100, 103] || interims == [103], "{interims:?}");
    assert_eq!(asking.end().await.status(), 200);
}
