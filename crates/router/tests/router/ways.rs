//! Common requests take a shorter way than others: nobody must see a difference.

use std::collections::BTreeSet;

use tokio::io::AsyncWriteExt;

use crate::support::forms::{FORMS, fixed, is_passing, scene};
use crate::support::{App, Client, Scene, read_head};

/// An answer without what differs each time: status line, sorted headers, body.
type Seen = Option<(String, BTreeSet<String>, String)>;

async fn seen(client: &mut Client) -> Seen {
    let answer = client.try_answer().await?;
    let shown = |(name, value): &(String, String)| format!("{name}: {value}");
    let headers = answer.headers.iter().map(shown).filter(|line| !is_passing(line));
    // The app shows what it got in any order.
    let mut lines: Vec<_> = answer.text().lines().filter(|line| !is_passing(line)).collect();
    lines.sort_unstable();
    Some((answer.line.clone(), headers.collect(), lines.join("\n")))
}

/// Sends `text` on a connection of its own and shows the answers, of which there should be `count`.
async fn answers(scene: &Scene, text: &[u8], count: usize) -> Vec<Seen> {
    let mut client = scene.client().await;
    client.send(text).await;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(seen(&mut client).await);
    }
    all
}

const HOST: &str = "Host: blog.example.com";

#[tokio::test]
async fn requests_look_the_same_to_the_app_and_answers_to_the_visitor() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    for request in [
        format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n"),
        format!(
            "GET /echo?a=b&c=%20 HTTP/1.1\r\n{HOST}:8080\r\nAccept: */*\r\nCookie: a=b; c=d\r\nCookie: e\r\n\r\n"
        ),
        "GET /echo HTTP/1.1\r\nhOST: BLOG.example.com.\r\nX-Two: 1\r\nX-Two: 2\r\nX-Empty:\r\nX-Wide: \t a \t\r\n\r\n".to_owned(),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n"),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nConnection: keep-alive\r\nKeep-Alive: timeout=9\r\n\r\n"),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nConnection: x-mine\r\nX-Mine: 1\r\nX-Kept: 1\r\n\r\n"),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nVia: 1.1 cdn (x)\r\nVia: 1.0 fred, 1.1 deis\r\n\r\n"),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nVia: {}\r\n\r\n", ["1.1 deis"; 10].join(",")),
        format!("GET /echo HTTP/1.1\r\n{HOST}\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\r\n"),
        format!(
            "GET /echo HTTP/1.1\r\n{HOST}\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=x\r\n\r\n"
        ),
        format!(
            "GET /echo HTTP/1.1\r\n{HOST}\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded-Port: 1\r\nx-forwarded-SSL: on\r\n\r\n"
        ),
        format!(
            "POST /echo HTTP/1.1\r\n{HOST}\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
        ),
        format!("PUT /echo HTTP/1.1\r\n{HOST}\r\nContent-Length: 0\r\n\r\n"),
        format!("POST /echo HTTP/1.1\r\n{HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        format!("DELETE /echo HTTP/1.1\r\n{HOST}\r\n\r\n"),
        format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n\r\n"),
        format!("GET /echo HTTP/1.0\r\n{HOST}\r\n\r\n"),
        format!("GET http://blog.example.com/echo HTTP/1.1\r\n{HOST}\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: nobody.example.com\r\nAccept: text/plain\r\n\r\n".to_owned(),
        "GET /health-check HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{HOST}\r\n{HOST}\r\n\r\n"),
        format!("GET / HTTP/1.1\n{HOST}\n\n"),
        format!("GET /<> HTTP/1.1\r\n{HOST}\r\n\r\n"),
        format!(
            "POST /echo HTTP/1.1\r\n{HOST}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        format!("BREW /echo HTTP/1.1\r\n{HOST}\r\n\r\n"),
    ] {
        let shown = answers(&short, request.as_bytes(), 1).await;
        assert_eq!(shown, answers(&long, request.as_bytes(), 1).await, "{request:?}");
        let twice = format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n{request}");
        let shown = answers(&short, twice.as_bytes(), 2).await;
        assert_eq!(shown, answers(&long, twice.as_bytes(), 2).await, "{request:?} as the second");
    }
}

#[tokio::test]
async fn answers_of_every_form_look_the_same() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    for (text, closes) in FORMS {
        let app = fixed(text, *closes).await;
        short.route("blog", 3, &[&app]).await;
        long.route("blog", 3, &[&app]).await;
        let request = format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n");
        let shown = answers(&short, request.repeat(2).as_bytes(), 2).await;
        assert_eq!(shown, answers(&long, request.repeat(2).as_bytes(), 2).await, "{text:?}");
    }
}

#[tokio::test]
async fn a_head_that_is_asked_for_alone_comes_alone() {
    for short in [true, false] {
        let (scene, _app) = scene(short).await;
        let mut client = scene.client().await;
        client.send(format!("HEAD / HTTP/1.1\r\n{HOST}\r\n\r\nGET / HTTP/1.1\r\n{HOST}\r\n\r\n")).await;
        let head = client.head().await.unwrap();
        assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
        assert_eq!(client.answer().await.text(), "blog");
    }
}

#[tokio::test]
async fn a_request_may_come_in_any_pieces() {
    let (scene, _app) = scene(true).await;
    let text = format!("POST /echo HTTP/1.1\r\n{HOST}\r\nContent-Length: 5\r\n\r\nhello");
    for size in [1, 2, 7, 30, 60, 77, 78, 79, 80] {
        let mut client = scene.client().await;
        for _ in 0..2 {
            for piece in text.as_bytes().chunks(size) {
                client.send(piece).await;
                tokio::task::yield_now().await;
            }
            let answer = client.answer().await;
            assert!(answer.text().ends_with("\n\nhello"), "{size}: {}", answer.text());
        }
    }
}

/// `text` in chunks of these sizes, over and over.
fn in_chunks(text: &str, sizes: &[usize]) -> String {
    let (mut rest, mut chunks) = (text, String::new());
    for (count, size) in sizes.iter().cycle().enumerate() {
        let (chunk, left) = rest.split_at((*size).min(rest.len()));
        // Of too many both think the same.
        let extension = if count < 100 { ";a=\"b;c\"" } else { "" };
        chunks += &format!("{:x}{extension}\r\n{chunk}\r\n", chunk.len());
        rest = left;
        if rest.is_empty() {
            break;
        }
    }
    chunks + "0\r\nX-Sum: 1\r\n\r\n"
}

#[tokio::test]
async fn an_app_gets_the_same_bodies_however_they_come() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    let head = format!("POST /echo HTTP/1.1\r\n{HOST}\r\n");
    for length in [1, 100, 8_000, 9_000, 70_000, 300_000] {
        let text: String = ('a'..='z').cycle().take(length).collect();
        let measured = format!("{head}Content-Length: {length}\r\n\r\n{text}");
        let cuts = [&[1, 2, 3][..], &[1000], &[64 * 1024, 5], &[length]];
        let chunked =
            cuts.map(|sizes| format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", in_chunks(&text, sizes)));
        for request in std::iter::once(measured).chain(chunked) {
            let (mut one, mut other) = (short.client().await, long.client().await);
            // As the second it may come together with the end of the first.
            for pieces in [request.len(), 7_777, 40_000] {
                let mut shown = Vec::new();
                for client in [&mut one, &mut other] {
                    for piece in request.as_bytes().chunks(pieces) {
                        client.send(piece).await;
                    }
                    shown.push(seen(client).await.expect("an answer"));
                }
                assert!(shown[0] == shown[1], "{length} in pieces of {pieces}: {:.500}", request);
                assert!(shown[0].2.contains(&text), "{length} in pieces of {pieces}");
            }
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
        for _ in 0..20 {
            assert_eq!(scene.get("blog", "/").await.text(), "hi");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_takes_its_answer_with_it() {
    for short in [true, false] {
        let scene = Scene::with(|config| config.short_way = short).await;
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let app = App::raw(move |_, mut stream| {
            let sender = sender.clone();
            async move {
                read_head(&mut stream).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
                    .await;
                assert!(read_head(&mut stream).await.is_none());
                sender.send("gone").unwrap();
            }
        });
        let app = app.await;
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        client.send(format!("GET / HTTP/1.1\r\n{HOST}\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status, 200);
        assert_eq!(client.line().await.unwrap(), "1");
        drop(client);
        let told = tokio::time::timeout(crate::support::PATIENCE, receiver.recv()).await;
        assert_eq!(told.expect("the app learns of it in time"), Some("gone"));
    }
}
