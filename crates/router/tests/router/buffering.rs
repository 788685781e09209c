//! Bodies that are taken in before a container is asked.

use crate::support::{App, Client, Scene};

const ASK: &str =
    "POST /echo HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";

async fn stage(size: &str) -> (Scene, App) {
    let scene = Scene::new().await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    let settings = [("bufferRequests".to_owned(), size.to_owned())].into();
    let generation = scene.controller.reroute("blog", |route| route.settings = settings);
    scene.controller.applied(generation).await;
    (scene, app)
}

/// A client that was told to send its body, and sent half of it.
async fn half_sent(scene: &Scene) -> Client {
    let mut client = scene.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.expect("the router wants the body").status, 100);
    client.send("hello").await;
    client
}

#[tokio::test]
async fn a_slow_client_costs_no_container_anything() {
    let (scene, app) = stage("64k").await;
    let mut client = half_sent(&scene).await;
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
    assert_eq!(app.requests(), 1);
    client.send("world").await;
    let answer = client.answer().await;
    assert!(answer.status == 200 && answer.text().ends_with("helloworld"), "{answer:?}");
    assert_eq!(app.requests(), 2);
}

#[tokio::test]
async fn a_body_that_is_longer_is_passed_on_as_it_comes() {
    let (scene, app) = stage("4").await;
    let mut client = half_sent(&scene).await;
    crate::support::until(|| app.requests() == 1).await;
    client.send("world").await;
    assert!(client.answer().await.text().ends_with("helloworld"));
}

#[tokio::test]
async fn a_client_that_leaves_before_its_body_is_whole_is_nobodys() {
    let (scene, app) = stage("64k").await;
    drop(half_sent(&scene).await);
    assert_eq!(scene.get("blog", "/").await.text(), "blog");
    assert_eq!(app.requests(), 1);
}
