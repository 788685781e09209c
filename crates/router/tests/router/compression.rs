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
