//! What reaches an app and what comes back: headers, bodies, versions, kept connections.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{App, Scene, read_head, respond, until};

#[tokio::test]
async fn an_app_learns_who_asked() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let seen = scene.get("blog", "/headers").await;
    for line in [
        "host: blog.example.com",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-port: 80",
        "x-forwarded-ssl: off",
        "x-request-start: t=",
        "x-request-id: ",
    ] {
        assert!(seen.text().contains(line), "{line} in {}", seen.text());
    }
}

#[tokio::test]
async fn what_a_stranger_claims_is_replaced() {
    let scene = Scene::with(|config| config.trusted = vec![]).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client
        .send(
            "GET /headers HTTP/1.1\r\nHost: blog.example.com\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 7.7.7.7\r\n\
             X-Forwarded-Proto: https\r\nX-Request-Id: mine\r\nX_Custom: kept\r\nX_Request_Id: 8.8.8.8\r\n\
             X_Request_Start: 8.8.8.8\r\nContent_Length: 8.8.8.8\r\nTransfer_Encoding: 8.8.8.8\r\nProxy: 8.8.8.8\r\n\r\n",
        )
        .await;
    let seen = client.answer().await;
    assert!(seen.text().contains("x-forwarded-for: 127.0.0.1\n"));
    assert!(seen.text().contains("x-forwarded-proto: http\n"));
    assert!(seen.text().contains("x_custom: kept\n"));
    for lie in ["6.6.6.6", "7.7.7.7", "8.8.8.8", "mine"] {
        assert!(!seen.text().contains(lie), "{lie} in {}", seen.text());
    }
}

#[tokio::test]
async fn headers_that_concern_one_connection_end_at_the_router() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client
        .send(
            "GET /headers HTTP/1.1\r\nHost: blog.example.com\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\n\
             Keep-Alive: timeout=9\r\nUpgrade: h2c\r\nTE: gzip\r\nX-Kept: 1\r\n\r\n",
        )
        .await;
    let seen = client.answer().await;
    assert!(seen.text().contains("x-kept: 1\n"));
    for gone in ["x-secret", "connection", "keep-alive", "upgrade", "te:"] {
        assert!(!seen.text().contains(gone), "{gone} in {}", seen.text());
    }
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..20 {
        assert_eq!(client.get("blog.example.com", "/").await.text(), "blog");
        client.send("HEAD / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
        client.send("POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\n\r\nhello").await;
        assert!(client.answer().await.text().ends_with("\nhello"));
    }
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    let request = |path| format!("GET /{path} HTTP/1.1\r\nHost: blog.example.com\r\n\r\n");
    client.send(request("one") + &request("two") + &request("three")).await;
    for path in ["one", "two", "three"] {
        assert!(client.answer().await.text().starts_with(&format!("GET /{path}\n")));
    }
}

#[tokio::test]
async fn reason_phrases_pass_unchanged() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        while read_head(&mut stream).await.is_some() {
            let _ =
                stream.write_all(b"HTTP/1.1 404 NOT FOUND\r\nContent-Length: 2\r\nX_Odd: 1\r\n\r\nno").await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let answer = scene.get("blog", "/").await;
    assert_eq!((answer.line.as_str(), answer.header("x_odd")), ("HTTP/1.1 404 NOT FOUND", Some("1")));
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET /big HTTP/1.0\r\nHost: blog.example.com\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert!(head.line.starts_with("HTTP/1.0 200"), "{}", head.line);
    assert_eq!(head.header("transfer-encoding"), None);
    assert_eq!(client.rest().await.len(), 64 * 1024 * 1024);
}

#[tokio::test]
async fn an_app_of_http_1_0_is_understood() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end").await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..2 {
        let answer = client.get("blog.example.com", "/").await;
        assert_eq!((answer.line.as_str(), answer.text()), ("HTTP/1.1 200 OK", "until the end"));
    }
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    let head =
        "POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.send(head).await;
    assert_eq!(client.head().await.unwrap().line, "HTTP/1.1 100 Continue");
    client.send("hello").await;
    assert!(client.answer().await.text().ends_with("\nhello"));
}

#[tokio::test]
async fn chunks_and_trailers_pass_both_ways() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        let head = read_head(&mut stream).await.unwrap();
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        let body = read_head(&mut stream).await.unwrap();
        assert!(body.starts_with("5\r\nhello\r\n") && body.contains("x-sum: 1\r\n"), "{body}");
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nyes\r\n0\r\nX-Sum: 2\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: blog.example.com\r\nTE: trailers\r\nTrailer: X-Sum\r\n\
             Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        )
        .await;
    let head = client.head().await.unwrap();
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    for line in ["3", "yes", "0", "x-sum: 2", ""] {
        assert_eq!(client.line().await.unwrap(), line);
    }
}

#[tokio::test]
async fn large_bodies_stream_through_in_bounded_memory() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let before = resident_bytes();
    let answer = scene.get("blog", "/big").await;
    assert_eq!(answer.body.len(), 64 * 1024 * 1024);
    drop(answer);
    let mut client = scene.client().await;
    let length = 128 * 1024 * 1024;
    client
        .send(format!("PUT /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: {length}\r\n\r\n"))
        .await;
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..128 {
        client.send(&chunk).await;
        let grown = resident_bytes().saturating_sub(before);
        assert!(grown < 100 * 1024 * 1024, "{grown} bytes more after a part of the upload");
    }
    assert_eq!(client.answer().await.text(), length.to_string());
}

#[tokio::test]
async fn an_answer_may_come_while_the_request_is_still_sent() {
    const MEGABYTE: usize = 1024 * 1024;
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        // Eight megabytes while nobody reads them, and the rest when all of the request has come.
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 8 * MEGABYTE + 4);
        let _ = stream.write_all(head.as_bytes()).await;
        let (mut read, mut write) = stream.into_split();
        let writing = tokio::spawn(async move {
            let _ = write.write_all(&vec![b'y'; 8 * MEGABYTE]).await;
            write
        });
        let mut request = vec![0; 32 * MEGABYTE];
        let _ = read.read_exact(&mut request).await;
        let _ = writing.await.unwrap().write_all(b"done").await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    let length = 32 * MEGABYTE;
    client
        .send(format!("POST / HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: {length}\r\n\r\n"))
        .await;
    let chunk = vec![b'x'; MEGABYTE];
    for _ in 0..32 {
        client.send(&chunk).await;
    }
    assert!(client.answer().await.body.ends_with(b"yydone"));
}

#[tokio::test]
async fn a_body_over_the_limit_gets_413() {
    let scene = Scene::with(|config| config.limits.body_bytes = 10).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let post = |fields: &str| format!("POST /echo HTTP/1.1\r\nHost: blog.example.com\r\n{fields}\r\n\r\n");
    let mut client = scene.client().await;
    client.send(post("Content-Length: 10") + "0123456789").await;
    assert_eq!(client.answer().await.status, 200);
    client.send(post("Content-Length: 11") + "01234567890").await;
    assert_eq!(client.answer().await.status, 413);
    let mut client = scene.client().await;
    client.send(post("Transfer-Encoding: chunked") + "b\r\n01234567890\r\n0\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413);
}

#[tokio::test]
async fn an_app_that_answers_too_late_gets_its_visitor_504() {
    let scene = Scene::with(|config| config.timeouts.answer = std::time::Duration::from_millis(50)).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(scene.get("blog", "/hold").await.status, 504);
}

#[tokio::test]
async fn a_head_over_the_limit_gets_431() {
    let scene = Scene::new().await;
    let mut client = scene.client().await;
    let long = "x".repeat(40 * 1024);
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {long}\r\n\r\n")).await;
    assert_eq!(client.head().await.unwrap().status, 431);
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_disconnected() {
    let scene = Scene::with(|config| config.timeouts.head = std::time::Duration::from_millis(50)).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_client_above_the_limit_waits_for_a_place() {
    let scene = Scene::with(|config| config.limits.connections = 1).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut first = scene.client().await;
    first.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    until(|| app.requests() == 1).await;
    let mut second = scene.client().await;
    second.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    app.release();
    // The first is told to leave with its answer, which makes room.
    assert_eq!(first.answer().await.header("connection"), Some("close"));
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    let scene = Scene::new().await;
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let app = App::raw(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            read_head(&mut stream).await;
            sender.send("asked").unwrap();
            assert!(read_head(&mut stream).await.is_none());
            sender.send("gone").unwrap();
            respond(&mut stream, "too late").await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    assert_eq!(receiver.recv().await, Some("asked"));
    drop(client);
    assert_eq!(receiver.recv().await, Some("gone"));
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
