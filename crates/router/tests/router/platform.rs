//! The platform's own: controllers on several hosts, reached over mutual TLS.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::Request;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use deis_api::client::Peers;
use deis_api::internal::PlatformRoutes;
use deis_runtime::identity::Authority;
use deis_runtime::{Identity, Peer, Role, Shutdown, bind, serve_as};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use crate::support::{App, Controller, PATIENCE, Scene};

/// A platform's identities.
struct Plane {
    authority: Authority,
    directory: TempDir,
}

impl Plane {
    fn new() -> Self {
        Self { authority: Authority::create().unwrap(), directory: tempfile::tempdir().unwrap() }
    }

    fn identity(&self, role: Role) -> Identity {
        let path = self.directory.path().join(role.as_str());
        std::fs::write(&path, self.authority.issue(role).unwrap().to_pem()).unwrap();
        Identity::load(&path, "host").unwrap()
    }

    /// A router that follows a controller over mutual TLS.
    async fn scene(&self) -> Scene {
        let controller = Controller::secured(&self.identity(Role::Controller)).await;
        let controllers = self.identity(Role::Router).peers([controller.address()], Role::Controller);
        Scene::following(controller, |config| config.controllers = controllers).await
    }
}

/// A controller's public API. Ends when dropped.
struct Api {
    address: SocketAddr,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

impl Api {
    async fn start(name: &'static str, identity: Option<Identity>) -> Self {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
        let tell = move |peer: Option<Extension<Peer>>| async move {
            format!("{name} called by {}", peer.map_or("anybody".to_owned(), |peer| peer.role().to_owned()))
        };
        let router = axum::Router::new().route("/socket", get(successor)).fallback(tell);
        let asked = shutdown.clone();
        let serving = tokio::spawn(async move {
            serve_as(identity.as_ref(), listener, router, asked).await.unwrap();
        });
        Self { address, shutdown, serving }
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, &mut self.serving).await.expect("it ends").unwrap();
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Sends back every byte, increased by one.
async fn successor(request: Request) -> Response {
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        while let Ok(byte) = stream.read_u8().await {
            stream.write_u8(byte + 1).await.unwrap();
            stream.flush().await.unwrap();
        }
    });
    let headers = [(CONNECTION, "upgrade"), (UPGRADE, "websocket")];
    (StatusCode::SWITCHING_PROTOCOLS, headers.map(|(name, value)| (name, HeaderValue::from_static(value))))
        .into_response()
}

async fn lead_to(scene: &Scene, apis: &[&Api]) {
    let generation = scene.controller.platform(PlatformRoutes {
        controller_hosts: vec!["deis.example.com".to_owned()],
        controllers: apis.iter().map(|api| api.address).collect(),
        ..PlatformRoutes::default()
    });
    scene.controller.applied(generation).await;
}

#[tokio::test]
async fn the_api_is_reached_over_mutual_tls_and_apps_are_not() {
    let plane = Plane::new();
    let scene = plane.scene().await;
    let api = Api::start("api", Some(plane.identity(Role::Controller))).await;
    lead_to(&scene, &[&api]).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    for _ in 0..3 {
        assert_eq!(scene.get("deis", "/").await.text(), "api called by router");
        assert_eq!(scene.get("blog", "/").await.text(), "blog");
    }
}

#[tokio::test]
async fn what_the_platform_says_to_itself_is_not_for_visitors() {
    let scene = Scene::new().await;
    let api = Api::start("api", None).await;
    lead_to(&scene, &[&api]).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    for path in ["/internal", "/internal/apps", "/internal/../v1", "/v1/hooks", "/v1/hooks/push/?a=b"] {
        let answer = scene.get("deis", path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("nothing for visitors"), "{}", answer.text());
        assert_eq!(scene.get("blog", path).await.status, 200, "{path} of an app");
    }
    for path in ["/internals", "/v1/apps", "/v1/hooksmith", "/"] {
        assert_eq!(scene.get("deis", path).await.text(), "api called by anybody", "{path}");
    }
}

#[tokio::test]
async fn a_controller_that_is_lost_is_replaced_by_another() {
    let plane = Plane::new();
    let scene = plane.scene().await;
    let identity = plane.identity(Role::Controller);
    let mut first = Api::start("first", Some(identity.clone())).await;
    let second = Api::start("second", Some(identity)).await;
    lead_to(&scene, &[&first, &second]).await;
    let mut client = scene.client().await;
    for _ in 0..8 {
        assert_eq!(client.get("deis.example.com", "/").await.status, 200);
    }
    first.stop().await;
    for _ in 0..8 {
        assert_eq!(client.get("deis.example.com", "/").await.text(), "second called by router");
    }
}

#[tokio::test]
async fn nobody_else_is_taken_for_a_controller() {
    let plane = Plane::new();
    let scene = plane.scene().await;
    let foreign = Plane::new().identity(Role::Controller);
    for identity in [None, Some(plane.identity(Role::Logger)), Some(foreign)] {
        let impostor = Api::start("impostor", identity).await;
        lead_to(&scene, &[&impostor]).await;
        let answer = scene.get("deis", "/").await;
        assert_eq!(answer.status, 503);
        assert!(!answer.text().contains("impostor"), "{}", answer.text());
    }
}

#[tokio::test]
async fn bytes_go_both_ways_over_mutual_tls() {
    let plane = Plane::new();
    let scene = plane.scene().await;
    let api = Api::start("api", Some(plane.identity(Role::Controller))).await;
    lead_to(&scene, &[&api]).await;
    let mut client = scene.client().await;
    let ask =
        "GET /socket HTTP/1.1\r\nHost: deis.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.send(ask).await;
    assert_eq!(client.head().await.unwrap().status, 101);
    client.send("HAL").await;
    assert_eq!(client.exactly(3).await.unwrap(), b"IBM");
    client.finish().await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn routes_come_from_the_controller_that_leads() {
    let controller = Controller::start().await;
    let leader = format!("http://{}", controller.address());
    let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let follower = listener.local_addr().unwrap();
    let misdirect = move || async move { (StatusCode::MISDIRECTED_REQUEST, [("x-deis-leader", leader)], "") };
    let router = axum::Router::new().fallback(misdirect);
    tokio::spawn(serve_as(None, listener, router, Shutdown::new()));
    let controllers = Peers::new([follower, controller.address()], None);
    let scene = Scene::following(controller, |config| config.controllers = controllers).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
}

#[tokio::test]
async fn every_router_has_a_name_of_its_own() {
    let scene = Scene::with(|config| config.name = "node-7".to_owned()).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let state = tempfile::tempdir().unwrap();
    let mut other = crate::support::config(state.path(), scene.controller.address());
    other.name = "node-7".to_owned();
    let (_, _, shutdown, running) = crate::support::start(other);
    let asked = async {
        loop {
            let requests = scene.controller.requests();
            let names: std::collections::BTreeSet<_> =
                requests.iter().map(|request| request.router.clone()).collect();
            assert!(names.iter().all(|name| name.starts_with("node-7-")), "{names:?}");
            if names.len() == 2 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("both ask");
    shutdown.cancel();
    running.await.unwrap();
}
