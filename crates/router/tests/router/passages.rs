//! Connections that are passed on as they are: at ports of apps' own, and TLS by the host asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use deis_api::internal::PlatformRoutes;
use deis_model::{Canary, ContainerName, Endpoint, ReleaseVersion};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{App, Client, Scene, until};

/// A port that nobody else is given: bound, and not listened on.
struct Reserved {
    port: u16,
    _socket: Socket,
}

fn reserve() -> Reserved {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("a socket can share its port");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port is free");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is of IP");
    Reserved { port: address.port(), _socket: socket }
}

/// An app that says its name and then sends back whatever comes.
async fn echo(name: &'static str) -> App {
    App::raw(async move |_, mut stream| {
        let _ = stream.write_all(name.as_bytes()).await;
        let (mut reading, mut writing) = stream.split();
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    })
    .await
}

fn settings(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Allows apps the one port.
async fn allow(scene: &Scene, port: u16) {
    let settings = settings(&[("tcp/ports", &format!("{port}-{port}"))]);
    scene.platform(PlatformRoutes { settings, ..PlatformRoutes::default() }).await;
}

async fn set(scene: &Scene, app: &str, set: &[(&str, &str)]) {
    let generation = scene.controller.reroute(app, |route| route.settings = settings(set));
    scene.controller.applied(generation).await;
}

/// A connection to `port` as soon as somebody listens there.
async fn connect(port: u16) -> TcpStream {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    until(|| std::net::TcpStream::connect(address).is_ok()).await;
    TcpStream::connect(address).await.expect("it goes on listening")
}

async fn hear(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    let read = tokio::time::timeout(crate::support::PATIENCE, stream.read_exact(&mut bytes)).await;
    read.expect("bytes come in time").expect("bytes come");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether anything comes before a connection ends. A reset tells of bytes that nobody wanted to read.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(crate::support::PATIENCE, stream.read(&mut [0])).await;
    read.expect("the connection is answered or ends in time").is_ok_and(|read| read > 0)
}

#[tokio::test]
async fn an_app_is_reached_at_its_own_port_for_as_long_as_it_has_one() {
    let (scene, app, reserved) = (Scene::new().await, echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    let address = SocketAddr::from(([127, 0, 0, 1], reserved.port));
    assert!(std::net::TcpStream::connect(address).is_err(), "operators allow ports first");
    allow(&scene, reserved.port).await;
    let mut client = connect(reserved.port).await;
    assert_eq!(hear(&mut client, 5).await, "first");
    client.write_all(b"ping").await.unwrap();
    assert_eq!(hear(&mut client, 4).await, "ping");
    set(&scene, "blog", &[]).await;
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    // Who is there already stays.
    client.write_all(b"pong").await.unwrap();
    assert_eq!(hear(&mut client, 4).await, "pong");
    client.shutdown().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn one_client_has_a_part_of_the_connections_at_ports_whatever_there_may_be_elsewhere() {
    let scene = Scene::with(|config| config.limits.passages = 10).await;
    let (app, reserved) = (echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    // No load balancer is at the test's address.
    let mesh = [("tcp/ports", &*format!("{0}-{0}", reserved.port)), ("proxyRealIpCidr", "192.0.2.0/24")];
    scene.platform(PlatformRoutes { settings: settings(&mesh), ..PlatformRoutes::default() }).await;
    drop(connect(reserved.port).await);
    let address = SocketAddr::from(([127, 0, 0, 1], reserved.port));
    let mut kept = Vec::new();
    let full = async {
        while kept.len() < 2 {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            // Those before it are counted until the router has noticed that they are gone.
            if is_answered(&mut client).await {
                kept.push(client);
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, full).await.expect("two are let in");
    let mut third = TcpStream::connect(address).await.expect("it listens");
    assert!(!is_answered(&mut third).await);
}

#[tokio::test]
async fn a_replaced_container_keeps_its_connections_and_is_draining_until_they_end() {
    let (scene, reserved) = (Scene::new().await, reserve());
    let (old, new) = (echo("old").await, echo("new").await);
    scene.route("blog", 1, &[&old]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    allow(&scene, reserved.port).await;
    let mut first = connect(reserved.port).await;
    assert_eq!(hear(&mut first, 3).await, "old");
    let generation = scene.controller.reroute("blog", |route| {
        route.endpoints[0].address = new.address();
    });
    scene.controller.applied(generation).await;
    let mut second = connect(reserved.port).await;
    assert_eq!(hear(&mut second, 3).await, "new");
    first.write_all(b"still").await.unwrap();
    assert_eq!(hear(&mut first, 5).await, "still");
    assert!(scene.controller.requests().iter().all(|request| request.drained < generation));
    drop(first);
    scene.controller.drained(generation).await;
}

#[tokio::test]
async fn a_container_that_does_not_accept_is_passed_over() {
    let (scene, reserved) = (Scene::new().await, reserve());
    let (gone, app) = (echo("gone").await, echo("here").await);
    scene.route("blog", 1, &[&gone, &app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    allow(&scene, reserved.port).await;
    gone.stop().await;
    for _ in 0..10 {
        let mut client = connect(reserved.port).await;
        assert_eq!(hear(&mut client, 4).await, "here");
    }
}

#[tokio::test]
async fn a_container_that_accepts_and_hangs_up_is_taken_out() {
    let (scene, reserved) = (Scene::new().await, reserve());
    let (ill, app) = (App::raw(async |_, _| ()).await, echo("here").await);
    scene.route("blog", 1, &[&ill, &app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    allow(&scene, reserved.port).await;
    let ejected = async {
        while !scene.metrics(|_| true).await.contains("deis_app_ejections_total{app=\"blog\"") {
            is_answered(&mut connect(reserved.port).await).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, ejected).await.expect("it is taken out in time");
}

#[tokio::test]
async fn clients_that_the_app_does_not_let_in_are_turned_away() {
    let (scene, app, reserved) = (Scene::new().await, echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string()), ("whitelist", "192.0.2.1")]).await;
    allow(&scene, reserved.port).await;
    let mut client = connect(reserved.port).await;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!((rest.len(), app.connections()), (0, 0));
}

#[tokio::test]
async fn an_app_that_is_not_routed_or_under_maintenance_takes_no_connections() {
    let (scene, app, reserved) = (Scene::secured().await, echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    allow(&scene, reserved.port).await;
    let (port, https) = (reserved.port.to_string(), scene.addresses.https.unwrap());
    for away in [("routable", "off"), ("maintenance", "on")] {
        set(&scene, "blog", &[("tcp/port", &port), ("tls/passthrough", "on"), away]).await;
        assert!(!is_answered(&mut connect(reserved.port).await).await, "{away:?}");
        let mut client = TcpStream::connect(https).await.unwrap();
        client.write_all(&greeting("blog.example.com")).await.unwrap();
        assert!(!is_answered(&mut client).await, "{away:?}");
    }
    assert_eq!(app.connections(), 0);
}

#[tokio::test]
async fn connections_come_at_the_pace_that_the_app_allows() {
    let (scene, app, reserved) = (Scene::new().await, echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    let port = reserved.port.to_string();
    let pace = [("rateLimit", "1r/m"), ("rateLimit/burst", "3")];
    set(&scene, "blog", &[("tcp/port", &port), pace[0], pace[1]]).await;
    allow(&scene, reserved.port).await;
    // Looking whether somebody listens there counts too.
    drop(connect(reserved.port).await);
    let mut answered = 0;
    for _ in 0..20 {
        let mut client = TcpStream::connect(("127.0.0.1", reserved.port)).await.unwrap();
        answered += usize::from(is_answered(&mut client).await);
    }
    assert!((1..10).contains(&answered), "{answered}");
}

#[tokio::test]
async fn an_app_gets_no_port_of_the_routers_own() {
    let (scene, app) = (Scene::new().await, echo("first").await);
    scene.route("blog", 1, &[&app]).await;
    let port = scene.addresses.health.port();
    set(&scene, "blog", &[("tcp/port", &port.to_string())]).await;
    allow(&scene, port).await;
    let problems = || scene.status.snapshot().problems;
    until(|| problems().iter().any(|problem| problem.cause.contains("blog cannot be reached at its port")))
        .await;
    for _ in 0..20 {
        let answer = Client::connect(scene.addresses.health).await.get("any", "/health-check").await;
        assert_eq!(answer.status, 200);
    }
    set(&scene, "blog", &[]).await;
    until(|| problems().is_empty()).await;
    assert_eq!(app.connections(), 0);
}

#[tokio::test]
async fn an_app_that_asks_for_it_learns_the_clients_address() {
    let (scene, app, reserved) = (Scene::new().await, echo("").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    let port = reserved.port.to_string();
    set(&scene, "blog", &[("tcp/port", &port), ("tcp/proxyProtocol", "v1")]).await;
    allow(&scene, reserved.port).await;
    let mut client = connect(reserved.port).await;
    let own = client.local_addr().unwrap().port();
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {own} {port}\r\n");
    assert_eq!(hear(&mut client, expected.len()).await, expected);
}

/// What a client says first that asks for `host` over TLS.
fn greeting(host: &str) -> Vec<u8> {
    let config = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty());
    let name = host.to_owned().try_into().expect("a host name");
    let mut client =
        rustls::ClientConnection::new(Arc::new(config.with_no_client_auth()), name).expect("a client");
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).expect("memory takes all");
    bytes
}

#[tokio::test]
async fn tls_is_passed_on_unopened_to_apps_that_answer_it_themselves() {
    let (scene, app) = (Scene::secured().await, echo("").await);
    scene.route("blog", 1, &[&app]).await;
    scene.route("other", 1, &[&app]).await;
    set(&scene, "blog", &[("tls/passthrough", "on")]).await;
    let https = scene.addresses.https.unwrap();
    let asked = greeting("blog.example.com");
    let mut client = TcpStream::connect(https).await.unwrap();
    for piece in asked.chunks(asked.len().div_ceil(3)) {
        client.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(hear(&mut client, asked.len()).await, String::from_utf8_lossy(&asked));
    let mut client = TcpStream::connect(https).await.unwrap();
    client.write_all(&greeting("other.example.com")).await.unwrap();
    // An alert or a greeting: the router answers itself.
    assert!(matches!(client.read_u8().await.unwrap(), 21 | 22));
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn a_greeting_that_breaks_off_holds_nobody_up() {
    let scene = Scene::with(|config| {
        config.https = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        config.cores = 1;
    })
    .await;
    let app = echo("").await;
    scene.route("blog", 1, &[&app]).await;
    set(&scene, "blog", &[("tls/passthrough", "on")]).await;
    let https = scene.addresses.https.unwrap();
    let mut client = TcpStream::connect(https).await.unwrap();
    client.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    client.shutdown().await.unwrap();
    while is_answered(&mut client).await {}
    let mut next = TcpStream::connect(https).await.unwrap();
    let asked = greeting("blog.example.com");
    next.write_all(&asked).await.unwrap();
    assert_eq!(hear(&mut next, asked.len()).await, String::from_utf8_lossy(&asked));
}

#[tokio::test]
async fn a_release_that_is_tried_out_gets_its_part_of_the_connections() {
    let (scene, reserved) = (Scene::new().await, reserve());
    let (stable, canary) = (echo("old").await, echo("new").await);
    scene.route("blog", 1, &[&stable]).await;
    allow(&scene, reserved.port).await;
    let port = reserved.port.to_string();
    let try_out = async |percent: &str| {
        let generation = scene.controller.reroute("blog", |route| {
            let release = ReleaseVersion::new(2).expect("a version");
            let container = ContainerName::parse("blog_v2.web.1").expect("a name");
            let endpoints = vec![Endpoint { container, address: canary.address() }];
            route.canary = Some(Canary { release, endpoints, health_check: None });
            route.settings = settings(&[("tcp/port", &port), ("canary", percent)]);
        });
        scene.controller.applied(generation).await;
    };
    for (percent, expected) in [("100", "new"), ("0", "old")] {
        try_out(percent).await;
        for _ in 0..5 {
            assert_eq!(hear(&mut connect(reserved.port).await, 3).await, expected);
        }
    }
    try_out("50").await;
    let mut heard = BTreeSet::new();
    while heard.len() < 2 {
        heard.insert(hear(&mut connect(reserved.port).await, 3).await);
    }
}

#[tokio::test]
async fn connections_wait_while_an_app_starts() {
    let (scene, app, reserved) = (Scene::new().await, echo("first").await, reserve());
    scene.route("blog", 1, &[]).await;
    allow(&scene, reserved.port).await;
    let generation = scene.controller.reroute("blog", |route| {
        route.wanted = Some(1);
        route.settings = settings(&[("tcp/port", &reserved.port.to_string()), ("queue/wait", "20s")]);
    });
    scene.controller.applied(generation).await;
    let mut client = connect(reserved.port).await;
    // Longer than anything but the app's own setting would let it wait.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let generation = scene.controller.reroute("blog", |route| {
        let container = ContainerName::parse("blog_v1.web.1").expect("a name");
        route.endpoints = vec![Endpoint { container, address: app.address() }];
    });
    scene.controller.applied(generation).await;
    assert_eq!(hear(&mut client, 5).await, "first");
}

#[tokio::test]
async fn connections_are_counted_and_so_are_those_that_nobody_accepts() {
    let (scene, app, reserved) = (Scene::new().await, echo("first").await, reserve());
    scene.route("blog", 1, &[&app]).await;
    set(&scene, "blog", &[("tcp/port", &reserved.port.to_string())]).await;
    allow(&scene, reserved.port).await;
    let metric = async |name: &str| {
        let text =
            Client::connect(scene.addresses.health).await.get("any", "/metrics").await.text().to_owned();
        let start = format!("deis_app_{name}{{app=\"blog\",release=\"v1\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let mut client = connect(reserved.port).await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(hear(&mut client, 9).await, "firstping");
    assert!(metric("connections_total").await >= 1);
    drop(client);
    while metric("sent_bytes_total").await < 9 || metric("received_bytes_total").await < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    app.stop().await;
    assert!(!is_answered(&mut connect(reserved.port).await).await);
    while metric("connections_failed_total").await == 0 || metric("ejections_total").await == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
