//! gRPC: apps that speak HTTP/2 only, messages both ways as they come, statuses in trailers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::h2::{
    DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, H2, HEADERS, Outgoing, RST_STREAM, fields,
};
use crate::support::{Authority, Client, Scene, Visitor, until};

type Body = BoxBody<Bytes, hyper::Error>;

/// A server as gRPC's are: it speaks HTTP/2 alone, echoes each message when it comes, and ends with a status.
struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    calls: AtomicUsize,
    /// Calls that the client gave up.
    cancelled: AtomicUsize,
}

impl Server {
    /// One that takes as many calls at a time on one connection as `streams` says.
    async fn start(streams: u32) -> Self {
        let counts = Arc::new(Counts::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(accept(listener, streams, Arc::clone(&counts)));
        Self { address, counts, serving }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, streams: u32, counts: Arc<Counts>) {
    let mut serving = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        counts.connections.fetch_add(1, SeqCst);
        let counts = Arc::clone(&counts);
        let service = service_fn(move |request| {
            let counts = Arc::clone(&counts);
            async move { Ok::<_, Infallible>(answer(request, counts)) }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        serving
            .spawn(builder.max_concurrent_streams(streams).serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(request: Request<Incoming>, counts: Arc<Counts>) -> Response<Body> {
    assert_eq!(request.headers()["te"], "trailers");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert!(request.uri().authority().is_some() && !request.headers().contains_key("host"));
    counts.calls.fetch_add(1, SeqCst);
    let (sender, body) = Channel::<Bytes, hyper::Error>::new(1);
    tokio::spawn(echo(request.into_body(), sender, counts));
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

async fn echo(mut messages: Incoming, mut sender: Sender<Bytes, hyper::Error>, counts: Arc<Counts>) {
    while let Some(frame) = messages.frame().await {
        let Ok(frame) = frame else {
            counts.cancelled.fetch_add(1, SeqCst);
            return;
        };
        if let Ok(data) = frame.into_data() {
            let _ = sender.send_data(data).await;
        }
    }
    let _ = sender.send_trailers(HeaderMap::from_iter([(status(), HeaderValue::from_static("0"))])).await;
}

fn status() -> http::HeaderName {
    http::HeaderName::from_static("grpc-status")
}

/// A router over TLS with an app that is `servers`.
async fn scene(servers: &[&Server]) -> (Scene, Authority) {
    scene_at(&addresses(servers)).await
}

async fn scene_at(addresses: &[SocketAddr]) -> (Scene, Authority) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let scene = Scene::with(|config| {
        config.https = vec![any];
        config.cores = 1;
    })
    .await;
    let authority = Authority::new();
    route_to(&scene, 2, addresses).await;
    scene.certify("chat", &[authority.certify(&["chat.example.com"])]).await;
    (scene, authority)
}

async fn route(scene: &Scene, release: u32, servers: &[&Server]) {
    route_to(scene, release, &addresses(servers)).await;
}

fn addresses(servers: &[&Server]) -> Vec<SocketAddr> {
    servers.iter().map(|server| server.address).collect()
}

async fn route_to(scene: &Scene, release: u32, addresses: &[SocketAddr]) {
    scene.controller.route("chat", release, addresses);
    let generation = scene.controller.reroute("chat", |route| {
        route.settings.insert("protocol".to_owned(), "h2c".to_owned());
    });
    scene.controller.applied(generation).await;
}

async fn client(scene: &Scene, authority: &Authority) -> H2 {
    let visitor = Visitor::new(authority, &["h2"]);
    H2::over(visitor.open(scene.addresses.https.unwrap(), "chat.example.com").await.unwrap()).await
}

fn call(body: Outgoing) -> Request<Outgoing> {
    let request = Request::post("https://chat.example.com/chat.Chat/Talk");
    request.header("te", "trailers").header("content-type", "application/grpc").body(body).unwrap()
}

/// The next message of an answer.
async fn message(body: &mut Incoming) -> Bytes {
    let frame = tokio::time::timeout(crate::support::PATIENCE, body.frame()).await.expect("it comes in time");
    frame.unwrap().unwrap().into_data().unwrap()
}

#[tokio::test]
async fn a_call_ends_with_its_status() {
    let server = Server::start(100).await;
    let (scene, authority) = scene(&[&server]).await;
    let reply =
        client(&scene, &authority).await.ask(call(Full::from("\0\0\0\0\x02hi").boxed())).await.unwrap();
    assert_eq!((reply.status, reply.text()), (200, "\0\0\0\0\x02hi"));
    assert_eq!(reply.headers["content-type"], "application/grpc");
    assert_eq!(reply.trailers["grpc-status"], "0");
}

#[tokio::test]
async fn messages_pass_both_ways_as_they_come() {
    let server = Server::start(100).await;
    let (scene, authority) = scene(&[&server]).await;
    let client = client(&scene, &authority).await;
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let answer = client.begin(call(body.boxed())).await.unwrap();
    let mut messages = answer.into_body();
    // Each comes back before the next is sent.
    for text in ["one", "two", "three"] {
        sender.send_data(Bytes::from(text)).await.unwrap();
        assert_eq!(message(&mut messages).await, text);
    }
    drop(sender);
    let trailers = messages.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn calls_share_a_connection_to_the_app_as_far_as_it_lets_them() {
    let server = Server::start(20).await;
    let (scene, authority) = scene(&[&server]).await;
    let client = client(&scene, &authority).await;
    for _ in 0..20 {
        client.ask(call(Full::from("hi").boxed())).await.unwrap();
    }
    assert_eq!(server.counts.connections.load(SeqCst), 1);
    // More at a time than one connection carries.
    let mut open = Vec::new();
    for _ in 0..100 {
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let mut messages = client.begin(call(body.boxed())).await.unwrap().into_body();
        sender.send_data(Bytes::from("hi")).await.unwrap();
        assert_eq!(message(&mut messages).await, "hi");
        open.push((sender, messages));
    }
    let connections = server.counts.connections.load(SeqCst);
    assert!((5..=10).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn a_call_that_is_given_up_is_given_up_at_the_app() {
    let server = Server::start(100).await;
    let (scene, authority) = scene(&[&server]).await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    let head = fields(&[
        (":method", b"POST"),
        (":scheme", b"http"),
        (":path", b"/chat.Chat/Talk"),
        (":authority", b"chat.example.com"),
        ("te", b"trailers"),
        ("content-type", b"application/grpc"),
    ]);
    frames.send(HEADERS, END_HEADERS, 1, &head).await;
    frames.send(DATA, 0, 1, b"hi").await;
    while frames.next().await.expect("the message comes back").kind != DATA {}
    let cancel = 8_u32.to_be_bytes();
    frames.send(RST_STREAM, 0, 1, &cancel).await;
    until(|| server.counts.cancelled.load(SeqCst) == 1).await;
    // Others go on over the same connection.
    let client = client(&scene, &authority).await;
    assert_eq!(client.ask(call(Full::from("hi").boxed())).await.unwrap().text(), "hi");
    assert_eq!(server.counts.connections.load(SeqCst), 1);
}

#[tokio::test]
async fn a_call_under_way_survives_a_deploy_and_holds_back_its_end() {
    let (old, new) = (Server::start(100).await, Server::start(100).await);
    let (scene, authority) = scene(&[&old]).await;
    let client = client(&scene, &authority).await;
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let mut messages = client.begin(call(body.boxed())).await.unwrap().into_body();
    route(&scene, 3, &[&new]).await;
    assert_eq!(client.ask(call(Full::from("hi").boxed())).await.unwrap().text(), "hi");
    assert_eq!(new.counts.calls.load(SeqCst), 1);
    sender.send_data(Bytes::from("still there")).await.unwrap();
    assert_eq!(message(&mut messages).await, "still there");
    let generation = scene.controller.requests().last().unwrap().applied;
    assert!(scene.controller.requests().iter().all(|request| request.drained < generation));
    drop(sender);
    assert!(messages.frame().await.unwrap().unwrap().is_trailers());
    drop(messages);
    scene.controller.drained(generation).await;
}

#[tokio::test]
async fn an_app_that_went_away_and_came_back_is_found() {
    let server = Server::start(100).await;
    let (scene, authority) = scene(&[&server]).await;
    let client = client(&scene, &authority).await;
    assert_eq!(client.ask(call(Full::from("hi").boxed())).await.unwrap().status, 200);
    server.serving.abort();
    until(|| server.serving.is_finished()).await;
    assert_eq!(client.ask(call(Full::from("hi").boxed())).await.unwrap().status, 502);
    let listener = TcpListener::bind(server.address).await.unwrap();
    let back = tokio::spawn(accept(listener, 100, Arc::clone(&server.counts)));
    assert_eq!(client.ask(call(Full::from("hi").boxed())).await.unwrap().status, 200);
    back.abort();
}

#[tokio::test]
async fn a_call_that_the_app_did_not_take_is_made_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut frames = Frames::accept(listener.accept().await.unwrap().0).await;
        while frames.next().await.expect("the call comes").kind != HEADERS {}
        let refused_stream = 7_u32.to_be_bytes();
        frames.send(RST_STREAM, 0, 1, &refused_stream).await;
        while frames.next().await.expect("the call comes again").kind != HEADERS {}
        // What came after the first one has not been begun with.
        let (last, no_error) = (1_u32.to_be_bytes(), 0_u32.to_be_bytes());
        frames.send(GOAWAY, 0, 0, &[last, no_error].concat()).await;
        let mut next = Frames::accept(listener.accept().await.unwrap().0).await;
        while next.next().await.expect("the call comes over another connection").kind != HEADERS {}
        next.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&[(":status", b"200")])).await;
        next.rest().await;
    });
    let (scene, authority) = scene_at(&[address]).await;
    // Nothing of its body has been sent when it is refused.
    let (_sender, body) = Channel::<Bytes, Infallible>::new(1);
    let answer = client(&scene, &authority).await.begin(call(body.boxed())).await.unwrap();
    assert_eq!(answer.status(), 200);
    serving.abort();
}

#[tokio::test]
async fn visitors_with_http_1_reach_such_an_app_too() {
    let server = Server::start(100).await;
    let (scene, _authority) = scene(&[&server]).await;
    let mut client = Client::connect(scene.addresses.http).await;
    for _ in 0..2 {
        let head =
            "POST / HTTP/1.1\r\nHost: chat.example.com\r\nTE: trailers\r\nContent-Type: application/grpc\r\n";
        client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (200, "hi"));
    }
    assert_eq!(server.counts.connections.load(SeqCst), 1);
}
