//! A router with a controller that hands out routes and apps that listen on loopback: real sockets, no containers.

mod app;
mod authority;
mod client;
mod controller;
mod crowd;
pub(crate) mod forms;
pub(crate) mod h2;
mod load;
mod logger;
mod process;
mod regulars;
mod secure;
mod serve;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use deis_api::client::Peers;
use deis_api::internal::PlatformRoutes;
use deis_model::KeyPair;
use deis_router::{Config, Router};
use deis_runtime::{Role, Shutdown, StatusBoard};
use tokio::task::JoinHandle;

pub(crate) use app::{App, read_head, respond};
pub(crate) use authority::Authority;
pub(crate) use client::{Answer, Client};
pub(crate) use controller::Controller;
pub(crate) use crowd::Crowd;
pub(crate) use load::Load;
pub(crate) use logger::Logger;
pub(crate) use process::{Place, Process};
pub(crate) use regulars::{Regulars, send_back};
pub(crate) use secure::{Visitor, serial};

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where a router under test listens: the first address for each purpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) http: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) git: SocketAddr,
    pub(crate) health: SocketAddr,
}

impl Addresses {
    fn of(router: &Router) -> Self {
        let all = router.addresses();
        let first = |addresses: &[SocketAddr]| addresses.first().copied();
        let one = |addresses| first(addresses).expect("it listens for every purpose");
        Self { http: one(&all.http), https: first(&all.https), git: one(&all.git), health: one(&all.health) }
    }
}

/// A router under test, its controller and its state directory.
pub(crate) struct Scene {
    pub(crate) controller: Controller,
    pub(crate) addresses: Addresses,
    pub(crate) status: StatusBoard,
    pub(crate) state: tempfile::TempDir,
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

impl Scene {
    /// A router that follows a new controller.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::following(Controller::start().await, change).await
    }

    /// A router that speaks TLS too.
    pub(crate) async fn secured() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::with(|config| config.https = vec![any]).await
    }

    /// A router that follows this controller.
    pub(crate) async fn following(controller: Controller, change: impl FnOnce(&mut Config)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let mut config = config(state.path(), controller.address());
        change(&mut config);
        let (addresses, status, shutdown, running) = start(config);
        Self { controller, addresses, status, state, shutdown, running }
    }

    /// Routes `host` to `apps` as containers of release `release` and waits until the router has applied that.
    pub(crate) async fn route(&self, app: &str, release: u32, apps: &[&App]) {
        let addresses: Vec<SocketAddr> = apps.iter().map(|app| app.address()).collect();
        let generation = self.controller.route(app, release, &addresses);
        self.controller.applied(generation).await;
    }

    /// Gives an app that is routed already these settings, and waits until the router has applied that.
    pub(crate) async fn set(&self, app: &str, settings: &[(&str, &str)]) {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let generation = self.controller.reroute(app, |route| route.settings = settings);
        self.controller.applied(generation).await;
    }

    /// A new connection to the router.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.addresses.http).await
    }

    /// One `GET` for an app on a connection of its own.
    pub(crate) async fn get(&self, app: &str, path: &str) -> Answer {
        self.client().await.get(&format!("{app}.example.com"), path).await
    }

    /// Gives an app these certificates and waits until the router has applied that.
    pub(crate) async fn certify(&self, app: &str, certificates: &[KeyPair]) {
        let generation = self.controller.reroute(app, |route| route.certificates = certificates.to_vec());
        self.controller.applied(generation).await;
    }

    /// Sets the platform's routes and waits until the router has applied that.
    pub(crate) async fn platform(&self, platform: PlatformRoutes) {
        let generation = self.controller.platform(platform);
        self.controller.applied(generation).await;
    }

    /// Its metrics, once `condition` holds for them: a request counts when its answer has been sent.
    pub(crate) async fn metrics(&self, condition: impl Fn(&str) -> bool) -> String {
        let read = async {
            loop {
                let mut client = Client::connect(self.addresses.health).await;
                let text = client.get("x", "/metrics").await.text().to_owned();
                if condition(&text) {
                    return text;
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("the metrics show it in time")
    }

    /// Asks the router to end; it ends when what is under way has.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Whether the router has not ended.
    pub(crate) fn is_running(&self) -> bool {
        !self.running.is_finished()
    }

    /// Waits until the router has ended.
    pub(crate) async fn ended(self) -> tempfile::TempDir {
        tokio::time::timeout(PATIENCE, self.running).await.expect("the router ends").unwrap();
        self.state
    }
}

/// Settings for tests: any free port, room for large bodies, everything else as by default.
pub(crate) fn config(state: &Path, controller: SocketAddr) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::new("test key", state);
    (config.http, config.git, config.health) = (vec![any], vec![any], vec![any]);
    config.controllers = Peers::new([controller], None);
    // Another program runs the same tests over the other way.
    config.short_way = env!("CARGO_CRATE_NAME") == "router";
    config.limits.body_bytes = 1 << 30;
    config
}

/// Starts a router with `config`.
pub(crate) fn start(config: Config) -> (Addresses, StatusBoard, Shutdown, JoinHandle<()>) {
    install_crypto();
    let status = StatusBoard::new(Role::Router);
    let router = Router::bind(config, status.clone()).unwrap();
    let (addresses, shutdown) = (Addresses::of(&router), Shutdown::new());
    let asked = shutdown.clone();
    let running = tokio::spawn(async move { router.run(asked).await.unwrap() });
    (addresses, status, shutdown, running)
}

/// Makes sure that cryptography is chosen.
pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().expect("nothing else installs one");
    });
}

/// Waits until `condition` holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the condition holds in time");
}
