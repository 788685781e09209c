//! What is tried again, where, and what is not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::{App, PATIENCE, Scene, read_head, respond};

#[tokio::test]
async fn a_container_that_refuses_connections_is_passed_over() {
    let scene = Scene::new().await;
    let (good, bad) = (App::start("good").await, App::start("bad").await);
    scene.route("blog", 2, &[&bad, &good]).await;
    bad.stop().await;
    for _ in 0..50 {
        assert_eq!(scene.get("blog", "/").await.text(), "good");
    }
}

/// A listener whose queue is full, as that of a host that is gone: nobody gets an answer. And those who wait in it.
fn deaf() -> (SocketAddr, Vec<Socket>) {
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..64).map(|_| {
        let waiting = socket();
        waiting.set_nonblocking(true).unwrap();
        let _ = waiting.connect(&address);
        waiting
    });
    let held = waiting.chain([listener]).collect();
    (address.as_socket().unwrap(), held)
}

#[tokio::test]
async fn nobody_waits_long_for_a_host_that_is_gone_while_there_is_another() {
    let scene = Scene::with(|config| {
        config.timeouts.connect = 10 * PATIENCE;
        config.timeouts.connect_if_others = Duration::from_millis(100);
    });
    let (scene, good, (deaf, _held)) = (scene.await, App::start("good").await, deaf());
    let generation = scene.controller.route("blog", 2, &[deaf, good.address()]);
    scene.controller.applied(generation).await;
    for _ in 0..20 {
        let answer = tokio::time::timeout(PATIENCE, scene.get("blog", "/")).await;
        assert_eq!(answer.expect("an answer in time").text(), "good");
    }
}

#[tokio::test]
async fn a_container_is_taken_out_and_let_in_again() {
    let scene = Scene::new().await;
    let (good, bad) = (App::start("good").await, App::start("bad").await);
    scene.route("blog", 2, &[&bad, &good]).await;
    let address = bad.stop().await;
    for _ in 0..50 {
        scene.get("blog", "/").await;
    }
    let metrics = crate::support::Client::connect(scene.addresses.health).await.get("x", "/metrics").await;
    let ejections =
        metrics.text().lines().find(|line| line.starts_with("deis_router_ejections_total ")).unwrap();
    let ejections: usize = ejections.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((1..25).contains(&ejections), "{ejections} ejections in 50 requests");
    let _back = App::at(address, "back").await;
    let mut found = false;
    while !found {
        found = scene.get("blog", "/").await.text() == "back";
    }
}

#[tokio::test]
async fn a_visitor_waits_a_moment_for_an_app_that_starts() {
    let scene = Scene::new().await;
    let app = App::start("early").await;
    scene.route("blog", 2, &[&app]).await;
    let address = app.stop().await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    let _app = App::at(address, "late").await;
    assert_eq!(client.answer().await.text(), "late");
}

#[tokio::test]
async fn a_visitor_of_an_app_that_refuses_gets_502() {
    let scene = Scene::with(|config| config.timeouts.reach = std::time::Duration::from_millis(50)).await;
    let app = App::start("blog").await;
    scene.route("blog", 2, &[&app]).await;
    app.stop().await;
    let answer = scene.get("blog", "/").await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("failed: app"), "{}", answer.text());
}

/// An app that answers the first request on each connection and closes it when the second arrives.
async fn forgetful() -> (App, Arc<AtomicUsize>) {
    let cut = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&cut);
    let app = App::raw(move |_, mut stream| {
        let cut = Arc::clone(&counted);
        async move {
            read_head(&mut stream).await;
            respond(&mut stream, "answered").await;
            if read_head(&mut stream).await.is_some() {
                cut.fetch_add(1, SeqCst);
            }
        }
    })
    .await;
    (app, cut)
}

#[tokio::test]
async fn a_kept_connection_that_ends_without_an_answer_costs_no_visitor_a_page() {
    let scene = Scene::new().await;
    let (app, cut) = forgetful().await;
    scene.route("blog", 2, &[&app]).await;
    for _ in 0..20 {
        assert_eq!(scene.get("blog", "/").await.text(), "answered");
    }
    assert!(cut.load(SeqCst) > 0);
}

#[tokio::test]
async fn a_request_that_may_have_been_acted_on_is_not_repeated() {
    let scene = Scene::new().await;
    let (app, cut) = forgetful().await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    assert_eq!(client.get("blog.example.com", "/").await.status, 200);
    client.send("POST / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 502);
    assert_eq!((cut.load(SeqCst), app.connections()), (1, 1));
}

#[tokio::test]
async fn a_request_that_cannot_be_repeated_gets_a_fresh_connection() {
    let scene =
        Scene::with(|config| config.timeouts.link_idle_unrepeatable = std::time::Duration::ZERO).await;
    let (app, cut) = forgetful().await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    for _ in 0..5 {
        client.send("POST / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
        // Longer than two ticks of the system's clock, which is what routers tell time by.
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    assert_eq!((cut.load(SeqCst), app.connections()), (0, 5));
}

#[tokio::test]
async fn a_request_that_kills_its_container_does_not_kill_them_all() {
    let scene = Scene::new().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let mut apps = Vec::new();
    for _ in 0..5 {
        let asked = Arc::clone(&asked);
        let app = App::raw(move |_, mut stream| {
            let asked = Arc::clone(&asked);
            async move {
                read_head(&mut stream).await;
                asked.fetch_add(1, SeqCst);
            }
        });
        apps.push(app.await);
    }
    scene.route("blog", 2, &apps.iter().collect::<Vec<_>>()).await;
    assert_eq!(scene.get("blog", "/").await.status, 502);
    assert_eq!(asked.load(SeqCst), 2);
}

#[tokio::test]
async fn an_app_that_does_not_speak_http_gets_502() {
    use tokio::io::AsyncWriteExt;
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    assert_eq!(scene.get("blog", "/").await.status, 502);
    assert_eq!(app.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off_for_the_visitor_too() {
    use tokio::io::AsyncWriteExt;
    let scene = Scene::new().await;
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").await;
    })
    .await;
    scene.route("blog", 2, &[&app]).await;
    let mut client = scene.client().await;
    client.send("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    assert_eq!(client.head().await.unwrap().status, 200);
    assert_eq!(client.rest().await, b"only this");
}
