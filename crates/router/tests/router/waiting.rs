//! Apps without a container: who waits, for how long, and who need not.

use std::time::Duration;

use crate::support::{App, Client, PATIENCE, Scene, until};

const ASK: &str = "GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n";

/// Routes `blog` to nothing, although `wanted` containers shall serve it, with these settings.
async fn absent(scene: &Scene, wanted: Option<u32>, settings: &[(&str, &str)]) {
    scene.controller.route("blog", 2, &[]);
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let generation = scene.controller.reroute("blog", |route| {
        route.wanted = wanted;
        route.settings = settings;
    });
    scene.controller.applied(generation).await;
}

/// Waits until `count` requests have begun to wait.
async fn queued(scene: &Scene, count: usize) {
    let line = format!("deis_app_queued_total{{app=\"blog\",release=\"v2\"}} {count}");
    let wait = async {
        loop {
            let mut client = Client::connect(scene.addresses.health).await;
            if client.get("x", "/metrics").await.text().lines().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("they wait in time");
}

#[tokio::test]
async fn a_visitor_of_an_app_that_starts_waits_for_it() {
    let scene = Scene::new().await;
    absent(&scene, Some(1), &[("queue/wait", "10m")]).await;
    let mut clients = Vec::new();
    for count in 1..=3 {
        let mut client = scene.client().await;
        client.send(ASK).await;
        queued(&scene, count).await;
        clients.push(client);
    }
    let app = App::start("late").await;
    scene.route("blog", 2, &[&app]).await;
    for mut client in clients {
        assert_eq!(client.answer().await.text(), "late");
    }
}

#[tokio::test]
async fn a_visitor_of_an_app_that_does_not_come_up_is_told_when_to_come_again() {
    let scene = Scene::new().await;
    absent(&scene, Some(1), &[("queue/wait", "50ms")]).await;
    let answer = scene.get("blog", "/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(answer.text().contains("starting"), "{}", answer.text());
}

#[tokio::test]
async fn nobody_waits_for_an_app_that_is_scaled_to_nothing() {
    let scene = Scene::new().await;
    for wanted in [Some(0), None] {
        absent(&scene, wanted, &[("queue/wait", "10m")]).await;
        let answer = scene.get("blog", "/").await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, None));
        assert!(answer.text().contains("scale"), "{}", answer.text());
    }
}

#[tokio::test]
async fn those_who_wait_are_told_at_once_when_an_app_is_scaled_to_nothing_or_gone() {
    let scene = Scene::new().await;
    for (status, last) in [(503, false), (404, true)] {
        absent(&scene, Some(1), &[("queue/wait", "10m")]).await;
        let mut client = scene.client().await;
        client.send(ASK).await;
        queued(&scene, 1 + usize::from(last)).await;
        match last {
            false => scene.controller.reroute("blog", |route| route.wanted = Some(0)),
            true => scene.controller.remove("blog"),
        };
        assert_eq!(client.answer().await.status, status);
    }
}

#[tokio::test]
async fn as_many_wait_as_may_and_those_who_leave_make_room() {
    let scene = Scene::new().await;
    absent(&scene, Some(1), &[("queue/wait", "10m"), ("queue", "2")]).await;
    let (mut first, mut second) = (scene.client().await, scene.client().await);
    first.send(ASK).await;
    queued(&scene, 1).await;
    second.send(ASK).await;
    queued(&scene, 2).await;
    let answer = scene.get("blog", "/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    drop(second);
    let mut third = scene.client().await;
    let mut tries = 0;
    loop {
        third.send(ASK).await;
        // Either it is told at once that there is no place, or it waits.
        match tokio::time::timeout(Duration::from_millis(200), third.head()).await {
            Ok(head) => {
                let head = head.expect("it is told");
                let length = head.header("content-length").unwrap().parse().unwrap();
                assert_eq!((head.status, third.exactly(length).await.is_some()), (503, true));
            }
            Err(_waits) => break,
        }
        tries += 1;
        assert!(tries < 1_000, "the place of one who left stays taken");
    }
    let app = App::start("late").await;
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(first.answer().await.text(), "late");
    assert_eq!(third.answer().await.text(), "late");
}

#[tokio::test]
async fn a_container_that_comes_back_is_found_by_those_who_wait() {
    let scene = Scene::with(|config| config.timeouts.reach = PATIENCE).await;
    let app = App::start("early").await;
    scene.route("blog", 2, &[&app]).await;
    let address = app.stop().await;
    let mut clients = Vec::new();
    for count in 1..=5 {
        let mut client = scene.client().await;
        client.send(ASK).await;
        queued(&scene, count).await;
        clients.push(client);
    }
    let app = App::at(address, "back").await;
    for mut client in clients {
        assert_eq!(client.answer().await.text(), "back");
    }
    until(|| app.requests() == 5).await;
}
