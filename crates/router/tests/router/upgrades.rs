//! One router taking the place of another while visitors keep coming.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use deis_router::Config;
use deis_runtime::Shutdown;
use tokio::task::JoinHandle;

use crate::support::{
    Addresses, App, Authority, Controller, Crowd, Regulars, Visitor, config, send_back, start, until,
};

/// How often the router is replaced.
const UPGRADES: usize = 20;

/// How many requests each router answers at least before it is replaced.
const REQUESTS: usize = 100;

/// How long routers wait for what is under way when they are to end: WebSockets hear of the end after half of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A router that is to be replaced.
struct Current {
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

impl Current {
    /// Asks it to end and waits until it has.
    async fn end(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}

fn start_at(addresses: Option<Addresses>, state: &Path, controller: SocketAddr) -> (Addresses, Current) {
    let mut config: Config = config(state, controller);
    if let Some(addresses) = addresses {
        let Addresses { http, git, health, .. } = addresses;
        (config.http, config.git, config.health) = (vec![http], vec![git], vec![health]);
    }
    config.https = vec![addresses.and_then(|addresses| addresses.https).unwrap_or(config.http[0])];
    config.timeouts.shutdown = PATIENCE;
    let (addresses, _, shutdown, running) = start(config);
    (addresses, Current { shutdown, running })
}

/// Starts one that takes the place of the one at `addresses`, and waits until it has the routes.
async fn replace(addresses: Addresses, state: &Path, controller: &Controller, generation: u64) -> Current {
    let asked = controller.requests().len();
    let (_, next) = start_at(Some(addresses), state, controller.address());
    until(|| controller.requests()[asked..].iter().any(|request| request.applied == generation)).await;
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routers_take_each_others_place_without_a_failed_connection() {
    let (controller, app) = (Controller::start().await, App::start("blog").await);
    let generation = controller.route("blog", 1, &[app.address()]);
    let state = tempfile::tempdir().unwrap();
    let (addresses, mut current) = start_at(None, state.path(), controller.address());
    controller.applied(generation).await;
    let mut crowd = Crowd::start(&[addresses.http]);
    crowd.come(REQUESTS).await;
    for _ in 0..UPGRADES {
        let next = replace(addresses, state.path(), &controller, generation).await;
        let last = std::mem::replace(&mut current, next);
        crowd.come(REQUESTS / 2).await;
        last.end().await;
        crowd.come(REQUESTS / 2).await;
    }
    let answered = crowd.end().await.answered;
    assert!(answered >= UPGRADES * REQUESTS, "{answered}");
    current.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_stay_are_led_over_as_their_protocols_have_it() {
    let (controller, app, authority) =
        (Controller::start().await, App::start("blog").await, Authority::new());
    let talk = App::raw(|_, stream| send_back(stream)).await;
    controller.route("talk", 1, &[talk.address()]);
    controller.route("blog", 1, &[app.address()]);
    let pair = authority.certify(&["blog.example.com"]);
    let generation = controller.reroute("blog", |route| route.certificates = vec![pair]);
    let state = tempfile::tempdir().unwrap();
    let (addresses, mut current) = start_at(None, state.path(), controller.address());
    controller.applied(generation).await;
    let visitor = Visitor::new(&authority, &["http/1.1"]);
    let mut regulars = Regulars::start(addresses.http, addresses.https.unwrap(), &visitor);
    for _ in 0..2 {
        regulars.come().await;
        let next = replace(addresses, state.path(), &controller, generation).await;
        std::mem::replace(&mut current, next).end().await;
        regulars.come().await;
    }
    regulars.end().await;
    current.end().await;
}
