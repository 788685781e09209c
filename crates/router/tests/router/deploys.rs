//! Changing routes under load: nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use crate::support::{App, Client, Scene};

/// Clients that ask without pause, some on kept connections and some with bodies, until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(scene: &Scene, clients: usize) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let ask = |number: usize| {
            let (stop, answered, address) = (Arc::clone(&stop), Arc::clone(&answered), scene.addresses.http);
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                while !stop.load(SeqCst) {
                    if number.is_multiple_of(3) {
                        client = Client::connect(address).await;
                    }
                    let request = if number.is_multiple_of(2) {
                        "GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n"
                    } else {
                        "POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\n\r\nhello"
                    };
                    client.send(request).await;
                    let answer = client.answer().await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, SeqCst);
                }
            })
        };
        let clients = (0..clients).map(ask).collect();
        Self { stop, answered, clients }
    }

    /// Waits until `count` more requests have been answered.
    async fn more(&self, count: usize) {
        let goal = self.answered.load(SeqCst) + count;
        crate::support::until(|| {
            self.answered.load(SeqCst) >= goal
                || self.clients.iter().any(tokio::task::JoinHandle::is_finished)
        })
        .await;
    }

    /// Fails if any request did.
    async fn end(self) {
        self.stop.store(true, SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_under_load_fail_no_request() {
    let scene = Scene::new().await;
    let mut current = vec![App::start("v1").await, App::start("v1").await];
    scene.route("blog", 1, &current.iter().collect::<Vec<_>>()).await;
    let load = Load::start(&scene, 8);
    for release in 2..=12 {
        let next = vec![App::start("next").await, App::start("next").await];
        let addresses: Vec<_> = next.iter().map(App::address).collect();
        let generation = scene.controller.route("blog", release, &addresses);
        scene.controller.drained(generation).await;
        // Nothing may be under way to the old ones any more: they end with all their connections.
        for app in std::mem::replace(&mut current, next) {
            app.stop().await;
        }
        load.more(40).await;
    }
    load.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_under_load_fails_no_request() {
    let scene = Scene::new().await;
    let mut apps = vec![App::start("web").await];
    scene.route("blog", 1, &[&apps[0]]).await;
    let load = Load::start(&scene, 8);
    for wanted in [3, 1, 4, 2, 1, 3] {
        while apps.len() < wanted {
            apps.push(App::start("web").await);
        }
        let staying: Vec<_> = apps.iter().take(wanted).map(App::address).collect();
        let generation = scene.controller.route("blog", 1, &staying);
        scene.controller.drained(generation).await;
        for app in apps.drain(wanted..) {
            app.stop().await;
        }
        load.more(40).await;
    }
    load.end().await;
}

#[tokio::test]
async fn a_request_under_way_holds_back_the_drain_of_its_container() {
    let scene = Scene::new().await;
    let (old, new) = (App::start("old").await, App::start("new").await);
    scene.route("blog", 1, &[&old]).await;
    let mut slow = scene.client().await;
    slow.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    crate::support::until(|| old.requests() == 1).await;
    let generation = scene.controller.route("blog", 2, &[new.address()]);
    scene.controller.applied(generation).await;
    assert_eq!(scene.get("blog", "/").await.text(), "new");
    assert!(scene.controller.requests().iter().all(|request| request.drained < generation));
    old.release();
    assert_eq!(slow.answer().await.text(), "old");
    let report = scene.controller.drained(generation).await;
    assert_eq!((report.applied, report.hold), (generation, false));
}

#[tokio::test]
async fn a_change_without_requests_under_way_drains_at_once() {
    let scene = Scene::new().await;
    let (old, new) = (App::start("old").await, App::start("new").await);
    scene.route("blog", 1, &[&old]).await;
    scene.get("blog", "/").await;
    let generation = scene.controller.route("blog", 2, &[new.address()]);
    let report = scene.controller.drained(generation).await;
    assert_eq!((report.applied, report.hold), (generation, true));
}

#[tokio::test]
async fn a_new_container_at_the_same_address_gets_no_old_connection() {
    let scene = Scene::new().await;
    let app = App::start("web").await;
    scene.route("blog", 1, &[&app]).await;
    scene.get("blog", "/").await;
    assert_eq!(app.connections(), 1);
    scene.route("blog", 2, &[&app]).await;
    scene.get("blog", "/").await;
    assert_eq!(app.connections(), 2);
}
