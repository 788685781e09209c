//! WebSockets and git: bytes both ways for as long as both want.

use deis_api::internal::PlatformRoutes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{App, Client, Scene, read_head};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: blog.example.com\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\n";

/// An app that agrees to any upgrade and then sends back every byte, increased by one.
async fn successor() -> App {
    App::raw(async |_, mut stream| {
        let head = read_head(&mut stream).await.unwrap();
        assert!(
            head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                      Sec-WebSocket-Accept: xyz\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        while let Ok(byte) = stream.read_u8().await {
            stream.write_u8(byte + 1).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways() {
    let scene = Scene::new().await;
    let app = successor().await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send(ASK).await;
    let head = client.head().await.unwrap();
    assert_eq!(head.status, 101);
    assert_eq!(head.header("upgrade"), Some("websocket"));
    assert_eq!(head.header("connection"), Some("upgrade"));
    assert_eq!(head.header("sec-websocket-accept"), Some("xyz"));
    for _ in 0..3 {
        client.send("HAL").await;
        assert_eq!(client.exactly(3).await.unwrap(), b"IBM");
    }
    client.finish().await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_websocket_in_which_nothing_moves_ends_when_its_apps_settings_say() {
    let (scene, app) = (Scene::new().await, successor().await);
    scene.route("blog", 2, &[&app]).await;
    scene.set("blog", &[("timeout/idle", "1s")]).await;
    let mut client = scene.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_app_cannot_change_to_what_nobody_asked_for() {
    let scene = Scene::new().await;
    for answered in ["h2c", "websocket, h2c", "chat", "WebSocket"] {
        let app = App::raw(move |_, mut stream| async move {
            read_head(&mut stream).await.unwrap();
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {answered}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Ends when the router has had enough of it.
            let _ = stream.read_u8().await;
        })
        .await;
        scene.route("blog", 2, &[&app]).await;
        let mut client = scene.client().await;
        client.send(ASK).await;
        let expected = if answered == "WebSocket" { 101 } else { 502 };
        assert_eq!(client.head().await.unwrap().status, expected, "{answered}");
    }
}

#[tokio::test]
async fn an_app_may_refuse_an_upgrade() {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..2 {
        client.send(ASK).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("upgrade: websocket\n"), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_open_websocket_holds_back_the_drain_of_its_container() {
    let scene = Scene::new().await;
    let (old, new) = (successor().await, App::start("new").await);
    scene.route("blog", 2, &[&old]).await;
    let mut client = scene.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    let generation = scene.controller.route("blog", 3, &[new.address()]);
    scene.controller.applied(generation).await;
    let reports = scene.controller.requests();
    assert!(reports.iter().all(|request| request.drained < generation), "{reports:?}");
    client.send("A").await;
    assert_eq!(client.byte().await, Some(b'B'));
    drop(client);
    let report = scene.controller.drained(generation).await;
    assert!(!report.hold, "a drained container is reported at once");
}

#[tokio::test]
async fn a_websocket_is_closed_politely_before_its_container_is_stopped() {
    let scene = Scene::new().await;
    let platform = PlatformRoutes { drain_seconds: Some(1), ..PlatformRoutes::default() };
    scene.controller.platform(platform);
    let (heard, mut hearing) = tokio::sync::mpsc::channel(1);
    let old = App::raw(move |_, mut stream| {
        let heard = heard.clone();
        async move {
            read_head(&mut stream).await.unwrap();
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
            let mut said = Vec::new();
            stream.read_to_end(&mut said).await.unwrap();
            heard.send(said).await.unwrap();
        }
    })
    .await;
    let new = App::start("new").await;
    scene.route("blog", 2, &[&old]).await;
    let mut client = scene.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    assert_eq!(client.exactly(4).await.unwrap(), [0x81, 2, b'h', b'i']);
    let generation = scene.controller.route("blog", 3, &[new.address()]);
    scene.controller.applied(generation).await;
    assert_eq!(client.exactly(4).await.unwrap(), [0x88, 2, 0x03, 0xe9], "going away");
    // A client answers in kind, and the app hears of it.
    let goodbye = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];
    client.send(goodbye).await;
    client.finish().await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(hearing.recv().await.unwrap(), goodbye);
    scene.controller.drained(generation).await;
}

#[tokio::test]
async fn a_websocket_goes_on_while_a_router_gives_notice() {
    let scene = Scene::with(|config| {
        config.timeouts.notice = std::time::Duration::from_secs(3600);
        config.timeouts.shutdown = std::time::Duration::from_millis(2);
    })
    .await;
    let app = successor().await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    scene.shut_down();
    let mut balancer = Client::connect(scene.addresses.health).await;
    while balancer.get("balancer", "/health-check").await.status != 503 {}
    for _ in 0..20 {
        client.send("HAL").await;
        assert_eq!(client.exactly(3).await.unwrap(), b"IBM");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn git_reaches_a_builder() {
    let scene = Scene::new().await;
    let builder = App::raw(async |_, mut stream| {
        let mut request = String::new();
        stream.read_to_string(&mut request).await.unwrap();
        stream.write_all(format!("built {request}").as_bytes()).await.unwrap();
    })
    .await;
    let generation = scene
        .controller
        .platform(PlatformRoutes { builders: vec![builder.address()], ..PlatformRoutes::default() });
    scene.controller.applied(generation).await;
    let mut client = Client::connect(scene.addresses.git).await;
    client.send("this").await;
    client.finish().await;
    let rest = client.rest().await;
    assert!(
        rest.starts_with(b"built PROXY TCP4 127.0.0.1 ") && rest.ends_with(b"\r\nthis"),
        "{}",
        rest.escape_ascii()
    );
}

#[tokio::test]
async fn a_git_client_is_turned_away_when_there_is_no_builder() {
    let scene = Scene::new().await;
    let mut client = Client::connect(scene.addresses.git).await;
    assert_eq!(client.rest().await, b"");
}
