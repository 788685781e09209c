//! Clients behind load balancers that announce connections by the PROXY protocol, and builders behind the router.

use std::net::SocketAddr;

use deis_api::internal::PlatformRoutes;
use deis_router::Router;
use deis_runtime::proxy_protocol::{Version, encode};
use deis_runtime::{Role, Shutdown, StatusBoard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{App, Client, Controller, PATIENCE, Scene, config, install_crypto, start};

fn header(version: Version) -> Vec<u8> {
    encode(
        version,
        "203.0.113.9:50000".parse().expect("an address"),
        "192.0.2.1:80".parse().expect("an address"),
    )
}

async fn set(scene: &Scene, settings: &[(&str, &str)], builders: Vec<SocketAddr>) {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    scene.platform(PlatformRoutes { settings, builders, ..PlatformRoutes::default() }).await;
}

#[tokio::test]
async fn an_announced_client_is_who_the_app_sees() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    // Before, clients are who they are.
    let mut kept = scene.client().await;
    let seen = kept.get("blog.example.com", "/echo").await;
    assert!(seen.text().contains("x-forwarded-for: 127.0.0.1\n"), "{}", seen.text());
    set(&scene, &[("proxyProtocol", "on")], vec![]).await;
    for version in [Version::One, Version::Two] {
        let mut client = scene.client().await;
        client.send(header(version)).await;
        for _ in 0..2 {
            let seen = client.get("blog.example.com", "/echo").await;
            assert!(seen.text().contains("x-forwarded-for: 203.0.113.9\n"), "{}", seen.text());
        }
    }
    // What was there before goes on, and load balancers ask for health as they always did.
    assert_eq!(kept.get("blog.example.com", "/").await.status, 200);
    let mut balancer = Client::connect(scene.addresses.health).await;
    assert_eq!(balancer.get("balancer", "/health-check").await.status, 200);
    set(&scene, &[], vec![]).await;
    assert_eq!(scene.get("blog", "/").await.status, 200);
}

#[tokio::test]
async fn nobody_is_believed_on_a_connection_whose_client_a_load_balancer_cannot_name() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    set(&scene, &[("proxyProtocol", "on")], vec![]).await;
    let local = [b"\r\n\r\n\0\r\nQUIT\n\x20\x00\0\0".as_slice()].concat();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
        for more in ["", "TE: trailers\r\n"] {
            let mut client = scene.client().await;
            client.send(header.clone()).await;
            let claim = "X-Forwarded-For: 198.51.100.7";
            client
                .send(format!("GET /echo HTTP/1.1\r\nHost: blog.example.com\r\n{more}{claim}\r\n\r\n"))
                .await;
            let seen = client.try_answer().await.expect("it is let in");
            assert!(seen.text().contains("x-forwarded-for: 127.0.0.1\n"), "{}", seen.text());
        }
    }
}

#[tokio::test]
async fn what_is_not_announced_is_turned_away() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    set(&scene, &[("proxyProtocol", "on")], vec![]).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    assert_eq!(client.rest().await, b"");
    set(&scene, &[("proxyProtocol", "on"), ("proxyRealIpCidr", "192.0.2.0/24")], vec![]).await;
    let mut stranger = scene.client().await;
    assert_eq!(stranger.rest().await, b"");
    assert_eq!(app.requests(), 0);
}

/// A client that a load balancer names, and whether it was let in.
async fn named(scene: &Scene, address: &str) -> Option<Client> {
    let (source, destination) = (format!("{address}:50000"), "192.0.2.1:80");
    let address = |text: &str| text.parse().expect("an address");
    let mut client = scene.client().await;
    client.send(encode(Version::Two, address(&source), address(destination))).await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    let answer = client.try_answer().await?;
    assert_eq!(answer.status, 200);
    Some(client)
}

#[tokio::test]
async fn a_client_that_is_named_has_only_so_many_connections() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    set(&scene, &[("proxyProtocol", "on"), ("connectionLimit", "2")], vec![]).await;
    let (first, _second) = (named(&scene, "203.0.113.9").await, named(&scene, "203.0.113.9").await);
    assert!(named(&scene, "203.0.113.9").await.is_none());
    assert!(named(&scene, "203.0.113.10").await.is_some());
    drop(first);
    // The router notices that it is gone.
    let again = async { while named(&scene, "203.0.113.9").await.is_none() {} };
    tokio::time::timeout(PATIENCE, again).await.expect("there is room for another one");
    let mut scraper = Client::connect(scene.addresses.health).await;
    let metrics = scraper.get("x", "/metrics").await;
    assert!(!metrics.text().contains("deis_router_connections_refused_total 0"), "{}", metrics.text());
}

#[tokio::test]
async fn a_stranger_has_only_so_many_connections_and_a_load_balancer_any_number() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    let stranger = [("connectionLimit", "2"), ("proxyRealIpCidr", "192.0.2.0/24")];
    set(&scene, &stranger, vec![]).await;
    let mut kept = [scene.client().await, scene.client().await];
    for client in &mut kept {
        assert_eq!(client.get("blog.example.com", "/").await.status, 200);
    }
    assert_eq!(scene.client().await.rest().await, b"");
    set(&scene, &stranger[..1], vec![]).await;
    assert_eq!(scene.get("blog", "/").await.status, 200);
}

#[tokio::test]
async fn an_announced_client_is_not_believed_though_its_address_is_a_load_balancers() {
    let (scene, app) = (Scene::new().await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    set(&scene, &[("proxyProtocol", "on")], vec![]).await;
    // As load balancers are by default.
    let address = |text: &str| text.parse().expect("an address");
    let mut client = scene.client().await;
    client.send(encode(Version::Two, address("127.0.0.9:50000"), address("192.0.2.1:80"))).await;
    let claims = "X-Forwarded-For: 203.0.113.77\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine\r\n";
    // The second is out of the common.
    for path in ["/echo", "/.well-known/echo"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: blog.example.com\r\n{claims}\r\n")).await;
        let seen = client.answer().await;
        assert!(seen.text().contains("x-forwarded-for: 127.0.0.9\n"), "{}", seen.text());
        assert!(seen.text().contains("x-forwarded-proto: http\n"), "{}", seen.text());
        assert!(!seen.text().contains("mine") && !seen.text().contains("203.0.113.77"), "{}", seen.text());
    }
}

/// A builder that sends back what it hears, up to the end of the client's first line.
async fn builder() -> App {
    App::raw(async |_, mut stream| {
        let mut heard = Vec::new();
        while !heard.ends_with(b"git\n") {
            let Ok(byte) = stream.read_u8().await else { return };
            heard.push(byte);
        }
        let _ = stream.write_all(&heard).await;
    })
    .await
}

#[tokio::test]
async fn builders_learn_who_pushes() {
    let (scene, builder) = (Scene::new().await, builder().await);
    let builders = vec![builder.address()];
    set(&scene, &[("git/proxyProtocol", "on")], builders.clone()).await;
    let mut client = Client::connect(scene.addresses.git).await;
    client.send([header(Version::Two).as_slice(), b"SSH-2.0-git\n"].concat()).await;
    assert_eq!(client.rest().await, b"PROXY TCP4 203.0.113.9 192.0.2.1 50000 80\r\nSSH-2.0-git\n");
    set(&scene, &[("builder/proxyProtocol", "off")], builders).await;
    let mut client = Client::connect(scene.addresses.git).await;
    client.send("SSH-2.0-git\n").await;
    assert_eq!(client.rest().await, b"SSH-2.0-git\n");
}

#[tokio::test]
async fn visitors_come_by_either_kind_of_address() {
    let all = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0));
    let (scene, app) = (Scene::with(|config| config.http = vec![all]).await, App::start("blog").await);
    scene.route("blog", 1, &[&app]).await;
    let port = scene.addresses.http.port();
    for (address, seen) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1")] {
        let mut client = Client::connect(SocketAddr::new(address.parse().unwrap(), port)).await;
        let answer = client.get("blog.example.com", "/echo").await;
        assert!(answer.text().contains(&format!("x-forwarded-for: {seen}\n")), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_router_may_listen_on_several_addresses_for_each_purpose() {
    let both =
        || vec![SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0))];
    let (controller, app, state) =
        (Controller::start().await, App::start("blog").await, tempfile::tempdir().unwrap());
    let mut config = config(state.path(), controller.address());
    (config.http, config.https, config.git, config.health) = (both(), both(), both(), both());
    let status = StatusBoard::new(Role::Router);
    install_crypto();
    let router = Router::bind(config, status.clone()).unwrap();
    let (addresses, shutdown) = (router.addresses().clone(), Shutdown::new());
    let running = tokio::spawn(router.run(shutdown.clone()));
    controller.applied(controller.route("blog", 1, &[app.address()])).await;
    for (http, health) in addresses.http.iter().zip(&addresses.health) {
        let answer = Client::connect(*http).await.get("blog.example.com", "/echo").await;
        assert!(answer.text().contains(&format!("x-forwarded-for: {}\n", http.ip())), "{}", answer.text());
        assert_eq!(Client::connect(*health).await.get("balancer", "/health-check").await.status, 200);
    }
    assert_eq!((addresses.https.len(), addresses.git.len()), (2, 2));
    let told = status.snapshot().notes.join("\n");
    let all = [addresses.http, addresses.https, addresses.git, addresses.health].concat();
    assert!(all.iter().all(|address| told.contains(&address.to_string())), "{told}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn all_addresses_of_both_kinds_may_share_a_port() {
    let (controller, app, state) =
        (Controller::start().await, App::start("blog").await, tempfile::tempdir().unwrap());
    let held = tokio::net::TcpSocket::new_v6().unwrap();
    held.set_reuseaddr(true).unwrap();
    held.set_reuseport(true).unwrap();
    // Bound, and not listening: nobody else is given the port.
    held.bind(SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0))).unwrap();
    let port = held.local_addr().unwrap().port();
    let mut config = config(state.path(), controller.address());
    config.http = vec![
        SocketAddr::from(([0, 0, 0, 0], port)),
        SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)),
    ];
    let (_, _, shutdown, running) = start(config);
    controller.applied(controller.route("blog", 1, &[app.address()])).await;
    for address in ["127.0.0.1", "::1"] {
        let mut client = Client::connect(SocketAddr::new(address.parse().unwrap(), port)).await;
        let answer = client.get("blog.example.com", "/echo").await;
        assert!(answer.text().contains(&format!("x-forwarded-for: {address}\n")), "{}", answer.text());
    }
    shutdown.cancel();
    running.await.unwrap();
}
