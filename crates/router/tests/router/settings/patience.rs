//! Settings of how long somebody is waited for.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use deis_router::Config;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncReadExt;

use super::rows::app;
use super::{map, set_mesh};
use crate::support::{App, Client, Scene};

/// Longer than any test takes.
const FOREVER: Duration = Duration::from_secs(3600);

/// Who neither accepts nor refuses connections: the queue of its socket is full.
struct Deaf {
    address: SocketAddr,
    _socket: Socket,
    _queue: Vec<TcpStream>,
}

impl Deaf {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        loop {
            match TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => break,
                Err(error) => panic!("the queue fills: {error}"),
            }
        }
        Self { address, _socket: socket, _queue: queue }
    }
}

/// A router that waits forever for everybody, unless a setting says otherwise.
async fn patient() -> Scene {
    Scene::with(|config: &mut Config| {
        let timeouts = &mut config.timeouts;
        (timeouts.head, timeouts.client_idle, timeouts.git_connect) = (FOREVER, FOREVER, FOREVER);
        (timeouts.connect, timeouts.connect_if_others, timeouts.git_idle) = (FOREVER, FOREVER, FOREVER);
        (timeouts.answer, timeouts.controller_answer) = (FOREVER, FOREVER);
    })
    .await
}

#[tokio::test]
async fn a_container_that_does_not_accept_is_waited_for_as_long_as_settings_say() {
    let (scene, deaf) = (patient().await, Deaf::new());
    let generation = scene.controller.route("blog", 2, &[deaf.address]);
    scene.controller.applied(generation).await;
    set_mesh(&scene, &[("timeout/connect", "100ms")], |_| ()).await;
    assert_eq!(scene.get("blog", "/").await.status, 502);
    let (scene, set) = (patient().await, map(&[("timeout/connect", "100ms")]));
    scene.controller.route("blog", 2, &[deaf.address]);
    let generation = scene.controller.reroute("blog", |route| route.settings = set);
    scene.controller.applied(generation).await;
    assert_eq!(scene.get("blog", "/").await.status, 502);
}

#[tokio::test]
async fn a_head_is_waited_for_as_long_as_the_mesh_says() {
    let scene = patient().await;
    set_mesh(&scene, &[("timeout/head", "100ms")], |_| ()).await;
    for begun in ["GET / HT", "GET / HTTP/1.1\r\nHost: blog.example.com\r\n", "\r\n", "\r\n\r\n"] {
        let mut client = scene.client().await;
        client.send(begun).await;
        let answered = client.rest().await;
        assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 408 "), "{}", answered.escape_ascii());
    }
}

#[tokio::test]
async fn controllers_are_waited_for_as_long_as_the_mesh_says() {
    let (scene, deaf, silent) = (patient().await, Deaf::new(), app().await);
    for (settings, controller, status) in [
        (&[("controller/timeout/connect", "100ms")], deaf.address, 503),
        (&[("controller/timeout/read", "100ms")], silent.address(), 504),
    ] {
        set_mesh(&scene, settings, |platform| {
            platform.controller_hosts = vec!["deis.example.com".to_owned()];
            platform.controllers = vec![controller];
        })
        .await;
        assert_eq!(scene.get("deis", "/silence").await.status, status, "{settings:?}");
    }
}

#[tokio::test]
async fn builders_are_waited_for_as_long_as_the_mesh_says() {
    let silent = App::raw(|_, mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
        // Says nothing, and does not go.
        tokio::time::sleep(FOREVER).await;
    })
    .await;
    let (scene, deaf) = (patient().await, Deaf::new());
    for (settings, builder) in [
        (&[("builder/timeout/connect", "100")], deaf.address),
        (&[("builder/timeout/tcp", "100")], silent.address()),
    ] {
        set_mesh(&scene, settings, |platform| platform.builders = vec![builder]).await;
        let mut client = Client::connect(scene.addresses.git).await;
        assert_eq!(client.rest().await, b"", "{settings:?}");
    }
}
