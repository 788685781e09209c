//! Answers that are compressed on the shorter way look as they do on the other.

use std::io::Read;

use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Seen, ask, empty, shown};
use crate::support::forms::{FORMS, fixed, is_passing, scene};
use crate::support::h2::H2;
use crate::support::{App, Scene, read_head};

/// The answer to a request for `/`: its body as it was before it was compressed, and all else that there is to see of it.
async fn plain(client: &H2, method: &str) -> Seen {
    let reply = client.ask(ask(method, "/", &[("accept-encoding", "gzip")], empty())).await.ok()?;
    let mut text = String::new();
    match reply.headers.get("content-encoding") {
        Some(_) => _ = GzDecoder::new(&reply.body[..]).read_to_string(&mut text).unwrap(),
        None => text.push_str(reply.text()),
    }
    let lines = text.lines().filter(|line| !is_passing(line)).map(str::to_owned);
    Some((reply.status, shown(&reply.headers), shown(&reply.trailers), lines.collect()))
}

#[tokio::test]
async fn compressed_answers_look_the_same() {
    let ((short, _one), (long, _other)) = (scene(true).await, scene(false).await);
    for (text, closes) in FORMS {
        // Told apart from those of other forms by what can be compressed.
        let text = text.replacen("\r\n\r\n", "\r\nContent-Type: text/html\r\nEtag: \"1\"\r\n\r\n", 1);
        let app = fixed(String::leak(text.clone()), *closes).await;
        for scene in [&short, &long] {
            scene.route("blog", 3, &[&app]).await;
            scene.set("blog", &[("compression", "gzip"), ("compression/minBytes", "0")]).await;
        }
        let (one, other) = (H2::connect(short.addresses.http).await, H2::connect(long.addresses.http).await);
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(plain(&one, method).await, plain(&other, method).await, "{method} {text:?}");
        }
    }
}

#[tokio::test]
async fn what_an_app_has_said_is_compressed_and_sent_before_the_rest_is_there() {
    let (scene, (go_on, told)) = (Scene::new().await, tokio::sync::oneshot::channel::<()>());
    let told = std::sync::Mutex::new(Some(told));
    let app = App::raw(move |_, mut stream| {
        let told = told.lock().unwrap().take();
        async move {
            read_head(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = stream.write_all(format!("{head}5\r\nfirst\r\n").as_bytes()).await;
            let _ = told.expect("it is asked once").await;
            let _ = stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await;
            let _ = stream.read(&mut [0]).await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let client = H2::connect(scene.addresses.http).await;
    let mut answer = client.begin(ask("GET", "/", &[("accept-encoding", "gzip")], empty())).await.unwrap();
    let (mut bytes, mut seen) = (Vec::new(), String::new());
    while seen != "first" {
        bytes.extend(answer.frame().await.unwrap().unwrap().into_data().unwrap());
        seen.clear();
        // Ends with an error where the rest is missing, after all that is there.
        let _ = GzDecoder::new(&bytes[..]).read_to_string(&mut seen);
    }
    go_on.send(()).unwrap();
    bytes.extend(answer.collect().await.unwrap().to_bytes());
    seen.clear();
    GzDecoder::new(&bytes[..]).read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "firstsecond");
}
