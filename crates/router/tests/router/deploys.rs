//! Changing routes under load: nobody notices.

use crate::support::{App, Load, Scene};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploys_under_load_fail_no_request() {
    let scene = Scene::new().await;
    let mut current = vec![App::start("v1").await, App::start("v1").await];
    scene.route("blog", 1, &current.iter().collect::<Vec<_>>()).await;
    let load = Load::start(scene.addresses.http, 8, &["blog"]);
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
    let load = Load::start(scene.addresses.http, 8, &["blog"]);
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
