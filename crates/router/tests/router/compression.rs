//! Answers that are compressed on their way, and those that are not.

use std::io::Read;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::support::{Answer, App, Scene, read_head};

/// An app that answers everything with this head and body, on connections that are kept.
async fn app(head: &'static str, body: String) -> App {
    App::raw(move |_, mut stream| {
        let body = body.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{head}\r\n{body}", body.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    })
    .await
}

async fn ask(scene: &Scene, accept: &str) -> Answer {
    let mut client = scene.client().await;
    let ask = format!("GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: {accept}\r\n\r\n");
    client.send(ask).await;
    client.answer().await
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_text_is_compressed_for_those_who_take_it() {
    let scene = Scene::with(|config| config.cores = 1).await;
    let text = "words and words ".repeat(1000);
    let app = app("Content-Type: text/html\r\nETag: \"1\"\r\n", text.clone()).await;
    scene.route("blog", 2, &[&app]).await;
    for _ in 0..3 {
        let answer = ask(&scene, "deflate, gzip;q=0.8").await;
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("etag"), Some("W/\"1\""));
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert!(answer.body.len() < text.len() / 10);
        assert_eq!(gunzip(&answer.body), text);
    }
    let plain = ask(&scene, "gzip;q=0, identity").await;
    assert_eq!((plain.header("content-encoding"), plain.text()), (None, text.as_str()));
    assert_eq!((plain.header("vary"), plain.header("etag")), (None, Some("\"1\"")));
    // All came over one connection: an answer that was compressed gives it back, too.
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn what_is_no_text_is_left_alone() {
    let scene = Scene::new().await;
    let app = app("Content-Type: image/png\r\n", "x".repeat(10_000)).await;
    scene.route("blog", 2, &[&app]).await;
    let answer = ask(&scene, "gzip").await;
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
    assert_eq!(answer.body.len(), 10_000);
}

#[tokio::test]
async fn any_line_of_an_app_may_forbid_change() {
    let scene = Scene::new().await;
    let text = "words and words ".repeat(1000);
    for second in ["no-transform", "max-age=5, No-Transform"] {
        let head = format!("Content-Type: text/html\r\nCache-Control: public\r\nCache-Control: {second}");
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let app = fixed(answer, false).await;
        scene.route("blog", 2, &[&app]).await;
        let answer = ask(&scene, "gzip").await;
        assert_eq!((answer.header("content-encoding"), answer.text()), (None, text.as_str()), "{second}");
    }
}

#[tokio::test]
async fn an_app_chooses_its_codings() {
    let scene = Scene::new().await;
    let text = "words and words ".repeat(1000);
    let app = app("Content-Type: text/plain\r\n", text.clone()).await;
    scene.route("blog", 2, &[&app]).await;
    scene.set("blog", &[("compression", "br,zstd")]).await;
    let brotli = ask(&scene, "gzip, br, zstd").await;
    let mut plain = Vec::new();
    brotli::Decompressor::new(&brotli.body[..], 4096).read_to_end(&mut plain).unwrap();
    assert_eq!((brotli.header("content-encoding"), plain.as_slice()), (Some("br"), text.as_bytes()));
    let zstd = ask(&scene, "zstd").await;
    assert_eq!(zstd.header("content-encoding"), Some("zstd"));
    assert_eq!(zstd::decode_all(&zstd.body[..]).unwrap(), text.as_bytes());
    assert_eq!(ask(&scene, "gzip").await.header("content-encoding"), None);
    scene.set("blog", &[("compression", "off")]).await;
    assert_eq!(ask(&scene, "gzip, br").await.header("content-encoding"), None);
}

#[tokio::test]
async fn what_an_app_has_said_reaches_the_visitor_before_the_rest_is_there() {
    let scene = Scene::new().await;
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let app = App::raw(move |_, mut stream| {
        let told = Arc::clone(&told);
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = stream.write_all(format!("{head}5\r\nfirst\r\n").as_bytes()).await;
            told.notified().await;
            let _ = stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().header("content-encoding"), Some("gzip"));
    let (mut bytes, mut seen) = (Vec::new(), String::new());
    while seen != "first" {
        let length = usize::from_str_radix(&client.line().await.unwrap(), 16).unwrap();
        bytes.extend(client.exactly(length).await.unwrap());
        client.line().await.unwrap();
        seen.clear();
        // Ends with an error where the rest is missing, after all that is there.
        let _ = flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut seen);
    }
    go_on.notify_one();
    bytes.extend(client.chunks().await.unwrap());
    assert_eq!(gunzip(&bytes), "firstsecond");
}

/// An app that answers everything with these bytes, and then closes if `closes`.
async fn fixed(text: String, closes: bool) -> App {
    App::raw(move |_, mut stream| {
        let text = text.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                let _ = stream.write_all(text.as_bytes()).await;
                if closes {
                    break;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn bodies_of_every_form_are_compressed() {
    let scene = Scene::new().await;
    let text = "words and words ".repeat(5000);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
    let chunks: String = ["", "words and words ", text.as_str()]
        .map(|part| format!("{:x}\r\n{part}\r\n", part.len()))[1..]
        .concat();
    for (body, closes, expected) in [
        (format!("Content-Length: {}\r\n\r\n{text}", text.len()), false, text.clone()),
        (
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
            false,
            format!("words and words {text}"),
        ),
        (
            format!("Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\nX-Sum: 1\r\n\r\n"),
            false,
            format!("words and words {text}"),
        ),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), false, String::new()),
        (format!("\r\n{text}"), true, text.clone()),
    ] {
        let app = fixed(format!("{head}{body}"), closes).await;
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        let request = "GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\n\r\n";
        // What comes after it is read as well.
        client.send(request.repeat(2)).await;
        for _ in 0..2 {
            let answer = client.answer().await;
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{}", &body[..30]);
            assert_eq!(gunzip(&answer.body), expected, "{}", &body[..30]);
        }
    }
}

#[tokio::test]
async fn what_has_no_body_is_not_compressed() {
    let scene = Scene::new().await;
    for (head, method, vary) in [
        // What HEAD learns is what GET would.
        ("200 OK\r\nContent-Type: text/html\r\nContent-Length: 5000\r\n", "HEAD", Some("Accept-Encoding")),
        (
            "200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n",
            "HEAD",
            Some("Accept-Encoding"),
        ),
        ("200 OK\r\nContent-Type: text/html\r\n", "HEAD", Some("Accept-Encoding")),
        ("200 OK\r\nContent-Type: text/html\r\nContent-Length: 50\r\n", "HEAD", None),
        ("200 OK\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n", "HEAD", None),
        ("204 No Content\r\nContent-Type: text/html\r\n", "GET", None),
        ("304 Not Modified\r\nContent-Type: text/html\r\nVary: Cookie\r\n", "GET", Some("Cookie")),
    ] {
        let app = fixed(format!("HTTP/1.1 {head}\r\n"), false).await;
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        let request =
            format!("{method} / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\n\r\n");
        client.send(request.repeat(2)).await;
        for _ in 0..2 {
            let answer = client.head().await.expect("an answer");
            assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, vary), "{head:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole_for_being_compressed() {
    let scene = Scene::new().await;
    let text = "words and words ".repeat(1000);
    let app = fixed(
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 50000\r\n\r\n{text}"),
        true,
    );
    let app = app.await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\nAccept-Encoding: gzip\r\n\r\n").await;
    assert_eq!(client.head().await.expect("the answer begins").header("content-encoding"), Some("gzip"));
    assert!(!client.rest().await.ends_with(b"0\r\n\r\n"));
}
