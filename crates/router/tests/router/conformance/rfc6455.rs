//! RFC 6455 and section 7.8 of RFC 9110: a handshake passes whole, and only where it is asked for properly.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{HOST, Passed, Stage, check, passed_with};
use crate::support::{App, Scene, read_head};

/// What a browser asks with. Source: section 1.3.
const ASK: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://example.com\r\n";

fn ask(version: &str, fields: &str) -> String {
    format!("GET /in HTTP/{version}\r\n{HOST}{fields}\r\n")
}

fn in_with(has: &'static [&'static str], lacks: &'static [&'static str]) -> Passed {
    Passed { line: "GET /in HTTP/1.1", has, lacks, body: "" }
}

#[tokio::test]
async fn a_handshake_reaches_the_app_and_others_are_not_offered() {
    check([
        passed_with(
            "4.1: a handshake that the app refuses",
            ask("1.1", ASK),
            in_with(
                &[
                    "connection: upgrade",
                    "upgrade: websocket",
                    "sec-websocket-version: 13",
                    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
                    "sec-websocket-protocol: chat, superchat",
                    "sec-websocket-extensions: permessage-deflate",
                    "origin: http://example.com",
                ],
                &[],
            ),
        ),
        passed_with(
            "9110 7.8: Connection does not say so",
            ask("1.1", "Connection: keep-alive\r\nUpgrade: websocket\r\n"),
            in_with(&[], &["connection", "upgrade"]),
        ),
        passed_with(
            "9110 7.8: no Upgrade",
            ask("1.1", "Connection: Upgrade\r\n"),
            in_with(&[], &["connection", "upgrade"]),
        ),
        passed_with(
            "9113 3.1: HTTP/2 by Upgrade, which is no more",
            ask("1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
            in_with(&[], &["connection", "upgrade", "http2-settings"]),
        ),
        passed_with(
            "9110 7.8: HTTP/1.0 cannot ask",
            ask("1.0", "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"),
            in_with(&[], &["connection", "upgrade"]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_follows_a_refused_handshake_is_judged_as_any_request() {
    let stage = Stage::new().await;
    let smuggled = format!(
        "POST /smuggled HTTP/1.1\r\n{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    let mut client = stage.scene.client().await;
    client.send(ask("1.1", ASK) + &ask("1.1", "") + &smuggled + &ask("1.1", "")).await;
    for status in [200, 200, 400] {
        assert_eq!(client.answer().await.status, status, "9110 7.8");
    }
    assert_eq!(client.rest().await, b"");
    let got = stage.take();
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[1].fields.iter().all(|field| !field.starts_with("upgrade")), "{got:?}");
}

#[tokio::test]
async fn a_handshake_passes_back_and_what_was_sent_ahead_is_the_apps() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                      Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
                      Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes()).await;
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all).await;
        let _ = stream.write_all(&all).await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    // Whatever it looks like, it is not HTTP any more.
    let ahead = "GET / HTTP/1.1\nno: request\n\n";
    client.send(ask("1.1", ASK) + ahead).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.status, 101, "4.2.2");
    for (name, value) in [
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "chat"),
        ("sec-websocket-extensions", "permessage-deflate"),
    ] {
        assert_eq!(head.header(name), Some(value), "4.2.2");
    }
    client.finish().await;
    assert_eq!(client.rest().await.escape_ascii().to_string(), ahead.escape_default().to_string());
}

#[tokio::test]
async fn an_app_of_another_version_says_which() {
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        while read_head(&mut stream).await.is_some() {
            let answer =
                "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..2 {
        client.send(ask("1.1", &ASK.replace("Version: 13", "Version: 25"))).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("sec-websocket-version")), (426, Some("13, 8")), "4.4");
    }
}
