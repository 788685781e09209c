//! HTTP/2 with visitors: what is passed on, what is refused, what one client may do to others.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use deis_api::internal::PlatformRoutes;
use deis_model::KeyPair;
use futures::stream;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, H2, HEADERS, PING, RST_STREAM, fields,
    request,
};
use crate::support::{App, Authority, Client, Scene, Visitor, read_head, until};

const BLOG: &str = "http://blog.example.com";

async fn blog() -> (Scene, App) {
    blog_with(Scene::new().await).await
}

async fn blog_with(scene: Scene) -> (Scene, App) {
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    (scene, app)
}

fn full(bytes: impl Into<Bytes>) -> crate::support::h2::Outgoing {
    Full::new(bytes.into()).boxed()
}

#[tokio::test]
async fn http_2_is_spoken_over_tls_and_without_being_asked() {
    let (scene, _app) = blog_with(Scene::secured().await).await;
    let authority = Authority::new();
    scene.certify("blog", &[authority.certify(&["blog.example.com"])]).await;
    let visitor = Visitor::new(&authority, &["h2", "http/1.1"]);
    let stream = visitor.open(scene.addresses.https.unwrap(), "blog.example.com").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let secured = H2::over(stream).await.get("https://blog.example.com/headers").await;
    let plain = H2::connect(scene.addresses.http).await.get(&format!("{BLOG}/headers")).await;
    for (reply, scheme) in [(secured, "https"), (plain, "http")] {
        assert_eq!(reply.status, 200);
        assert!(reply.text().starts_with("GET /headers\n"), "{}", reply.text());
        for line in ["host: blog.example.com", "x-request-id: ", &format!("x-forwarded-proto: {scheme}")] {
            assert!(reply.text().contains(line), "{line} in {}", reply.text());
        }
        assert!(!reply.headers.contains_key("connection"));
    }
}

/// What HTTP/2 begins with, and an empty frame of settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Sends the beginning of HTTP/2 and sees it taken for a malformed request of HTTP/1.
async fn is_refused(client: &mut Client) {
    client.send(PREFACE).await;
    let rest = client.rest().await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "), "{}", rest.escape_ascii());
}

#[tokio::test]
async fn http_2_does_not_begin_where_http_1_was_spoken() {
    let (scene, _app) = blog().await;
    let mut client = scene.client().await;
    assert_eq!(client.get("blog.example.com", "/").await.text(), "blog");
    is_refused(&mut client).await;
}

#[tokio::test]
async fn without_http_2_nobody_speaks_it_unasked() {
    let (scene, _app) = blog().await;
    let settings = [("http2".to_owned(), "off".to_owned())].into();
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
    is_refused(&mut scene.client().await).await;
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

#[tokio::test]
async fn requests_share_a_connection_and_wait_for_none_of_the_others() {
    let (scene, app) = blog().await;
    let client = H2::connect(scene.addresses.http).await;
    // One answer that nobody reads, one that takes its time.
    let unread = client.begin(request(Method::GET, &format!("{BLOG}/big"))).await.unwrap();
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.get(&format!("{BLOG}/hold")).await }
    });
    until(|| app.requests() == 2).await;
    let many = (0..200).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.get(&format!("{BLOG}/")).await.text().to_owned() })
    });
    for answer in many.collect::<Vec<_>>() {
        assert_eq!(answer.await.unwrap(), "blog");
    }
    app.release();
    assert_eq!(held.await.unwrap().text(), "blog");
    assert_eq!(unread.into_body().collect().await.unwrap().to_bytes().len(), 64 * 1024 * 1024);
}

#[tokio::test]
async fn bodies_of_any_size_pass() {
    let (scene, _app) = blog().await;
    let client = H2::connect(scene.addresses.http).await;
    for length in [0_usize, 1, 100_000, 20_000_000] {
        let known = Request::post(format!("{BLOG}/sink")).body(full(vec![b'x'; length])).unwrap();
        assert_eq!(client.ask(known).await.unwrap().text(), length.to_string());
        let chunk = Frame::data(Bytes::from(vec![b'x'; length]));
        let body = StreamBody::new(stream::iter([Ok(chunk)])).boxed();
        let unknown = Request::post(format!("{BLOG}/sink")).body(body).unwrap();
        assert_eq!(client.ask(unknown).await.unwrap().text(), length.to_string());
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let (scene, _app) = blog().await;
    let reply = H2::connect(scene.addresses.http).await.ask(request(Method::HEAD, &format!("{BLOG}/"))).await;
    let reply = reply.unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.headers["content-length"], "4");
}

#[tokio::test]
async fn cookies_and_hosts_reach_the_app_as_in_http_1() {
    let (scene, _app) = blog().await;
    let client = H2::connect(scene.addresses.http).await;
    let request = Request::get(format!("{BLOG}/headers")).header("cookie", "a=1").header("cookie", "b=2");
    let reply = client.ask(request.header("te", "trailers").body(full("")).unwrap()).await.unwrap();
    assert!(reply.text().contains("cookie: a=1; b=2\n"), "{}", reply.text());
    assert!(reply.text().contains("te: trailers\n"), "{}", reply.text());
    let request = Request::get(format!("{BLOG}/headers")).header("host", "shop.example.com");
    assert_eq!(client.ask(request.body(full("")).unwrap()).await.unwrap().status, 400);
}

/// Sends a request with these fields besides those that every one has; whether it is answered by the app.
async fn reaches_the_app(scene: &Scene, app: &App, more: &[(&str, &[u8])], body: Option<&[u8]>) -> bool {
    let before = app.requests();
    let mut frames = Frames::connect(scene.addresses.http).await;
    let plain: [(&str, &[u8]); 4] = [
        (":method", b"POST"),
        (":scheme", b"http"),
        (":path", b"/sink"),
        (":authority", b"blog.example.com"),
    ];
    let all = plain.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| name != other));
    let block = fields(&all.chain(more.iter().copied()).collect::<Vec<_>>());
    let end = if body.is_none() { END_STREAM } else { 0 };
    frames.send(HEADERS, END_HEADERS | end, 1, &block).await;
    if let Some(body) = body {
        frames.send(DATA, END_STREAM, 1, body).await;
    }
    while let Some(frame) = frames.next().await {
        match frame.kind {
            // A status in the table that every connection begins with: 200 is number 8. Source: RFC 7541 appendix A.
            HEADERS => return frame.payload[0] == 0x88,
            RST_STREAM | GOAWAY => break,
            _ => {}
        }
    }
    assert_eq!(app.requests(), before, "{more:?}");
    false
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_refused() {
    let (scene, app) = blog().await;
    assert!(reaches_the_app(&scene, &app, &[], None).await);
    assert!(reaches_the_app(&scene, &app, &[("content-length", b"2")], Some(b"xx")).await);
    for more in [
        // RFC 9113 section 8.2.2.
        ("connection", &b"close"[..]),
        ("transfer-encoding", b"chunked"),
        ("keep-alive", b"timeout=5"),
        ("proxy-connection", b"close"),
        ("upgrade", b"websocket"),
        ("te", b"gzip"),
        // Section 8.2.1.
        ("x-a", b"b\r\nx-c: d"),
        ("x-a", b"b\nx-c: d"),
        ("x-a", b"b\0c"),
        ("X-Upper", b"a"),
        ("x a", b"b"),
        ("x-a\r\nx-b", b"c"),
        ("", b"a"),
        // Section 8.3.
        (":unknown", b"a"),
        (":status", b"200"),
        (":path", b""),
        (":path", b"/a\r\nx: y"),
        (":path", b"/a b"),
        (":method", b"GET / HTTP/1.1\r\n"),
        (":method", b""),
        (":authority", b"blog.example.com\r\nx: y"),
        (":authority", b"user@blog.example.com"),
        ("host", b"other.example.com"),
        // Section 8.1.1.
        ("content-length", b"+2"),
        ("content-length", b"2, 2"),
        ("content-length", b"two"),
    ] {
        assert!(!reaches_the_app(&scene, &app, &[more], Some(b"xx")).await, "{more:?}");
    }
    let twice: [(&str, &[u8]); 2] = [("content-length", b"2"), ("content-length", b"2")];
    assert!(!reaches_the_app(&scene, &app, &twice, Some(b"xx")).await);
    assert!(!reaches_the_app(&scene, &app, &[("content-length", b"2")], None).await);
    let late: [(&str, &[u8]); 2] = [("x-a", b"b"), (":path", b"/sink")];
    assert!(!reaches_the_app(&scene, &app, &late, Some(b"xx")).await);
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_no_whole_request_for_the_app() {
    let scene = Scene::new().await;
    let (seen, mut ended) = tokio::sync::mpsc::unbounded_channel();
    let app = App::raw(move |_, mut stream| {
        let seen = seen.clone();
        async move {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes).await;
            let _ = seen.send(String::from_utf8(bytes).unwrap());
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    for body in [&b"x"[..], b"xxxyz"] {
        let mut frames = Frames::connect(scene.addresses.http).await;
        let block = fields(&[
            (":method", b"POST"),
            (":scheme", b"http"),
            (":path", b"/"),
            (":authority", b"blog.example.com"),
            ("content-length", b"3"),
        ]);
        frames.send(HEADERS, END_HEADERS, 1, &block).await;
        frames.send(DATA, END_STREAM, 1, body).await;
        loop {
            let frame = frames.next().await.expect("an answer to a broken request");
            if matches!(frame.kind, HEADERS | RST_STREAM) {
                assert!(frame.kind == RST_STREAM || frame.payload[0] != 0x88);
                break;
            }
        }
    }
    // Whatever got there breaks off before three bytes, and nothing follows on the same connection.
    drop(scene);
    while let Ok(text) = ended.try_recv() {
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body.len() < 3, "{text}");
    }
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let scene = Scene::new().await;
    let app = App::raw(|_, mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.contains("transfer-encoding: chunked"), "{head}");
        let mut body = String::new();
        while !body.ends_with("\r\n\r\n") {
            body.push(char::from(stream.read_u8().await.unwrap()));
        }
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n";
        let body = body.replace("\r\n", "|");
        let answer = format!("{answer}{:x}\r\n{body}\r\n0\r\nx-sum: 7\r\n\r\n", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("x-mine"), HeaderValue::from_static("1"))]);
    let frames = [Ok(Frame::data(Bytes::from("body"))), Ok(Frame::trailers(trailers))];
    let request = Request::post(format!("{BLOG}/")).header("trailer", "x-mine").header("te", "trailers");
    let request = request.body(StreamBody::new(stream::iter(frames)).boxed()).unwrap();
    let reply = H2::connect(scene.addresses.http).await.ask(request).await.unwrap();
    assert_eq!(reply.text(), "4|body|0|x-mine: 1||");
    assert_eq!(reply.trailers["x-sum"], "7");
}

#[tokio::test]
async fn a_connection_secured_for_another_host_is_the_wrong_one() {
    let (scene, app) = blog_with(Scene::secured().await).await;
    let authority = Authority::new();
    for name in ["shop", "wiki", "mail"] {
        scene.route(name, 2, &[&app]).await;
    }
    scene.certify("blog", &[authority.certify(&["blog.example.com", "shop.example.com"])]).await;
    let own = |name: &str| -> KeyPair { authority.certify(&[&format!("{name}.example.com")]) };
    scene.certify("shop", &[own("shop")]).await;
    scene.certify("wiki", &[own("wiki")]).await;
    let visitor = Visitor::new(&authority, &["h2"]);
    let stream = visitor.open(scene.addresses.https.unwrap(), "blog.example.com").await.unwrap();
    let client = H2::over(stream).await;
    for (name, expected) in [("blog", 200), ("shop", 200), ("wiki", 421), ("mail", 200), ("none", 404)] {
        let reply = client.get(&format!("https://{name}.example.com/headers")).await;
        assert_eq!(reply.status, expected, "{name}");
    }
}

/// An app that agrees to WebSocket and sends back what it gets.
async fn echo() -> App {
    App::raw(|_, mut stream| async move {
        let head = read_head(&mut stream).await.unwrap();
        let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let key = format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.unwrap());
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
        let accept = BASE64_STANDARD.encode(digest);
        assert!(head.starts_with("GET /socket HTTP/1.1\r\n"), "{head}");
        for line in ["upgrade: websocket\r\n", "connection: upgrade\r\n", "sec-websocket-version: 13\r\n"] {
            assert!(head.contains(line), "{line} in {head}");
        }
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut reading, mut writing) = stream.split();
        tokio::io::copy(&mut reading, &mut writing).await.unwrap();
    })
    .await
}

fn connect(path: &str) -> Request<crate::support::h2::Outgoing> {
    let mut request = request(Method::CONNECT, &format!("{BLOG}{path}"));
    request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("13"));
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    request
}

#[tokio::test]
async fn web_sockets_pass_over_http_2() {
    let scene = Scene::new().await;
    let app = echo().await;
    scene.route("blog", 2, &[&app]).await;
    let client = H2::connect(scene.addresses.http).await;
    let mut answer = client.begin(connect("/socket")).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    let mut socket = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    for message in ["one", "two"] {
        socket.write_all(message.as_bytes()).await.unwrap();
        let mut echoed = [0; 3];
        socket.read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, message.as_bytes());
    }
    socket.shutdown().await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_app_that_agrees_to_no_web_socket_gets_none() {
    let (scene, _app) = blog().await;
    let client = H2::connect(scene.addresses.http).await;
    assert_eq!(client.begin(connect("/headers")).await.unwrap().status(), 502);
    let tunnel = request(Method::CONNECT, "blog.example.com:443");
    assert_eq!(client.begin(tunnel).await.unwrap().status(), 400);
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let scene = Scene::with(|config| config.limits.head_bytes = 8 * 1024).await;
    let (scene, _app) = blog_with(scene).await;
    let client = H2::connect(scene.addresses.http).await;
    let request =
        Request::get(format!("{BLOG}/")).header("x-large", "x".repeat(10_000)).body(full("")).unwrap();
    assert_eq!(client.ask(request).await.unwrap().status, 431);
    assert_eq!(client.get(&format!("{BLOG}/")).await.text(), "blog");
}

/// The fields of a plain request.
fn plain() -> Vec<u8> {
    fields(&[
        (":method", b"GET"),
        (":scheme", b"http"),
        (":path", b"/hold"),
        (":authority", b"blog.example.com"),
    ])
}

#[tokio::test]
async fn a_client_that_takes_back_all_it_asks_for_is_disconnected() {
    let (scene, _app) = blog().await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    // As many in one piece as an attack has: nothing is looked at in between.
    for number in 0..2_000_u32 {
        frames.send(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &plain()).await;
        frames.send(RST_STREAM, 0, number * 2 + 1, &8_u32.to_be_bytes()).await;
    }
    let kinds = frames.rest().await;
    assert!(kinds.is_empty() || kinds.contains(&GOAWAY), "{kinds:?}");
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

#[tokio::test]
async fn a_client_that_asks_for_more_at_a_time_than_it_may_is_refused_the_rest() {
    let (scene, app) = blog().await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    // More than one may have in the beginning, when nobody has said how many these are: RFC 9113 section 6.5.2.
    for number in 0..428_u32 {
        frames.send(HEADERS, END_HEADERS | END_STREAM, number * 2 + 1, &plain()).await;
    }
    until(|| app.requests() == 128).await;
    let mut refused = 0;
    while refused < 300 {
        let frame = frames.next().await.expect("the connection stays");
        assert_eq!((frame.kind, &frame.payload[..]), (RST_STREAM, &7_u32.to_be_bytes()[..]));
        refused += 1;
    }
    assert_eq!(app.requests(), 128);
}

#[tokio::test]
async fn a_head_in_endless_pieces_ends_the_connection() {
    let (scene, _app) = blog().await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    frames.send(HEADERS, 0, 1, &plain()).await;
    for _ in 0..20_000 {
        frames.send(CONTINUATION, 0, 1, &fields(&[("x-more", b"more")])).await;
    }
    let kinds = frames.rest().await;
    assert!(!kinds.contains(&HEADERS), "{kinds:?}");
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

#[tokio::test]
async fn a_client_that_never_asks_is_not_kept_by_its_pings() {
    let scene = Scene::with(|config| config.timeouts.head = Duration::from_millis(200)).await;
    let (scene, _app) = blog_with(scene).await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    let ended = async {
        loop {
            frames.send(PING, 0, 0, &[0; 8]).await;
            if frames.next().await.is_none() {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, ended).await.expect("it is disconnected");
}

#[tokio::test]
async fn a_router_that_ends_lets_requests_finish_and_takes_no_more() {
    let (scene, app) = blog().await;
    let mut frames = Frames::connect(scene.addresses.http).await;
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &plain()).await;
    until(|| app.requests() == 1).await;
    scene.shut_down();
    let mut kinds = Vec::new();
    while let Some(frame) = frames.next().await {
        match frame.kind {
            GOAWAY => app.release(),
            // It is asked whether it has heard.
            PING => frames.send(PING, 1, 0, &frame.payload).await,
            _ => {}
        }
        kinds.push(frame.kind);
    }
    let place = |kind: u8| kinds.iter().position(|seen| *seen == kind);
    assert!(place(GOAWAY) < place(HEADERS) && place(DATA).is_some(), "{kinds:?}");
    scene.ended().await;
}
