//! One router taking the place of another while visitors keep coming.

use std::net::SocketAddr;
use std::path::Path;

use deis_router::Config;
use deis_runtime::Shutdown;
use tokio::task::JoinHandle;

use crate::support::{Addresses, App, Controller, Crowd, config, start, until};

/// How often the router is replaced.
const UPGRADES: usize = 20;

/// How many requests each router answers at least before it is replaced.
const REQUESTS: usize = 100;

/// A router that is to be replaced.
struct Current {
    shutdown: Shutdown,
    running: JoinHandle<()>,
}

fn start_at(addresses: Option<Addresses>, state: &Path, controller: SocketAddr) -> (Addresses, Current) {
    let mut config: Config = config(state, controller);
    if let Some(addresses) = addresses {
        let Addresses { http, git, health, .. } = addresses;
        (config.http, config.git, config.health) = (vec![http], vec![git], vec![health]);
    }
    let (addresses, _, shutdown, running) = start(config);
    (addresses, Current { shutdown, running })
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
        let asked = controller.requests().len();
        let (_, next) = start_at(Some(addresses), state.path(), controller.address());
        until(|| controller.requests()[asked..].iter().any(|request| request.applied == generation)).await;
        let last = std::mem::replace(&mut current, next);
        crowd.come(REQUESTS / 2).await;
        last.shutdown.cancel();
        last.running.await.unwrap();
        crowd.come(REQUESTS / 2).await;
    }
    let answered = crowd.end().await;
    assert!(answered >= UPGRADES * REQUESTS, "{answered}");
    current.shutdown.cancel();
    current.running.await.unwrap();
}
