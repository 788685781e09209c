//! Whom requests go to: failing containers, clients that stay with one, a release that is tried out.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use deis_model::{Canary, ContainerName, Endpoint, HealthCheck, ReleaseVersion};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{Answer, App, Client, Scene, read_head, respond, until};

/// Some apps that answer with a name each.
async fn apps(names: &[&str]) -> Vec<App> {
    let mut apps = Vec::new();
    for name in names {
        apps.push(App::start(name).await);
    }
    apps
}

fn addresses(apps: &[App]) -> Vec<SocketAddr> {
    apps.iter().map(App::address).collect()
}

/// Routes `blog` to `apps` with these settings.
async fn route(scene: &Scene, apps: &[App], settings: &[(&str, &str)]) {
    scene.controller.route("blog", 2, &addresses(apps));
    set(scene, settings).await;
}

async fn set(scene: &Scene, settings: &[(&str, &str)]) {
    let settings: BTreeMap<_, _> =
        settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let generation = scene.controller.reroute("blog", |route| route.settings = settings);
    scene.controller.applied(generation).await;
}

async fn ask(scene: &Scene, path: &str, cookie: Option<&str>) -> Answer {
    let cookie = cookie.map(|cookie| format!("Cookie: a=b; {cookie}\r\n")).unwrap_or_default();
    let mut client = scene.client().await;
    client.send(format!("GET {path} HTTP/1.1\r\nHost: blog.example.com\r\n{cookie}\r\n")).await;
    client.answer().await
}

/// `name=value` of the cookie that an answer gives.
fn given(answer: &Answer) -> Option<String> {
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
}

/// An app that answers 500 to everything.
async fn failing() -> App {
    App::raw(async |_, mut stream| {
        while read_head(&mut stream).await.is_some() {
            let answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_container_that_fails_fast_attracts_no_requests() {
    let scene = Scene::new().await;
    let apps = [App::start("good").await, failing().await];
    route(&scene, &apps, &[]).await;
    let mut failed = 0;
    for _ in 0..200 {
        failed += u32::from(scene.get("blog", "/").await.status == 500);
    }
    // Half of them at random; what it is forgiven in time comes on top.
    assert!((1..60).contains(&failed), "{failed} of 200 failed");
}

/// Whether a container of `blog` has been taken out.
async fn has_ejected(scene: &Scene) -> bool {
    let mut client = Client::connect(scene.addresses.health).await;
    let metrics = client.get("x", "/metrics").await;
    metrics.text().contains("\ndeis_app_ejections_total{app=\"blog\",release=\"v2\"} ")
}

#[tokio::test]
async fn a_container_whose_answers_are_errors_is_taken_out_where_that_is_set() {
    for (setting, expected) in [("off", false), ("on", true)] {
        let scene = Scene::new().await;
        let apps = [App::start("good").await, failing().await];
        // The good one is kept so busy that the other is the better choice whatever it answers.
        route(&scene, &apps[..1], &[]).await;
        let mut held = Vec::new();
        for _ in 0..30 {
            let mut client = scene.client().await;
            client.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
            held.push(client);
        }
        until(|| apps[0].requests() == 30).await;
        route(&scene, &apps, &[("ejectErrors", setting), ("slowStart", "1ms")]).await;
        for _ in 0..20 {
            scene.get("blog", "/").await;
        }
        assert_eq!(has_ejected(&scene).await, expected, "{setting}");
    }
}

/// What an app says of itself.
#[derive(Default)]
struct Health {
    is_well: AtomicBool,
    /// How often it was asked.
    asked: AtomicUsize,
}

/// Serves `listener`: at `/up` it says whether it is well.
async fn serve(listener: TcpListener, health: Arc<Health>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let health = Arc::clone(&health);
        tokio::spawn(async move {
            while let Some(head) = read_head(&mut stream).await {
                let is_check = head.starts_with("GET /up ");
                health.asked.fetch_add(usize::from(is_check), SeqCst);
                match is_check && !health.is_well.load(SeqCst) {
                    false => respond(&mut stream, "late").await,
                    true => _ = stream.write_all(b"HTTP/1.1 500 Oops\r\n\r\n").await,
                }
            }
        });
    }
}

#[tokio::test]
async fn a_container_that_is_out_comes_back_when_its_health_check_says_so() {
    let (scene, health, good) = (Scene::new().await, Arc::new(Health::default()), App::start("good").await);
    // Refuses connections until it listens.
    let late = TcpSocket::new_v4().unwrap();
    late.bind(([127, 0, 0, 1], 0).into()).unwrap();
    scene.controller.route("blog", 2, &[good.address(), late.local_addr().unwrap()]);
    let check = HealthCheck { path: Some("/up".to_owned()), initial_delay_seconds: 0, timeout_seconds: 20 };
    let generation = scene.controller.reroute("blog", |route| route.health_check = Some(check));
    scene.controller.applied(generation).await;
    while !has_ejected(&scene).await {
        scene.get("blog", "/").await;
    }
    tokio::spawn(serve(late.listen(16).unwrap(), Arc::clone(&health)));
    until(|| health.asked.load(SeqCst) == 1).await;
    for _ in 0..20 {
        assert_eq!(scene.get("blog", "/").await.text(), "good");
    }
    health.is_well.store(true, SeqCst);
    while scene.get("blog", "/").await.text() != "late" {}
    assert!(health.asked.load(SeqCst) > 1);
}

#[tokio::test]
async fn a_client_stays_with_the_container_that_its_cookie_names() {
    let scene = Scene::new().await;
    let apps = apps(&["one", "two", "three"]).await;
    route(&scene, &apps, &[("affinityCookie", "stick")]).await;
    let first = ask(&scene, "/", None).await;
    let cookie = given(&first).expect("a cookie");
    let whole = first.header("set-cookie").unwrap();
    assert!(whole.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{whole}");
    assert!(addresses(&apps).iter().all(|address| !whole.contains(&address.port().to_string())), "{whole}");
    for _ in 0..20 {
        let again = ask(&scene, "/", Some(&cookie)).await;
        assert_eq!((again.text(), given(&again)), (first.text(), None));
    }
}

#[tokio::test]
async fn a_client_whose_container_is_gone_gets_another_and_a_new_cookie() {
    let scene = Scene::new().await;
    let mut apps = apps(&["one", "two", "three"]).await;
    route(&scene, &apps, &[("affinityCookie", "stick")]).await;
    let first = ask(&scene, "/", None).await;
    let cookie = given(&first).expect("a cookie");
    let place = ["one", "two", "three"].iter().position(|name| *name == first.text()).unwrap();
    apps.remove(place).stop().await;
    let second = ask(&scene, "/", Some(&cookie)).await;
    let renewed = given(&second).expect("another cookie");
    assert!(second.status == 200 && second.text() != first.text() && renewed != cookie);
    for _ in 0..10 {
        assert_eq!(ask(&scene, "/", Some(&renewed)).await.text(), second.text());
    }
}

#[tokio::test]
async fn every_router_knows_the_cookies_and_arguments_of_all() {
    let (scene, other) = (Scene::new().await, Scene::new().await);
    let apps = apps(&["one", "two", "three", "four"]).await;
    for scene in [&scene, &other] {
        route(scene, &apps, &[("affinityCookie", "stick")]).await;
    }
    for _ in 0..10 {
        let first = ask(&scene, "/", None).await;
        let again = ask(&other, "/", given(&first).as_deref()).await;
        assert_eq!((again.text(), given(&again)), (first.text(), None));
    }
    for scene in [&scene, &other] {
        set(scene, &[("affinityArg", "user")]).await;
    }
    let mut seen = std::collections::BTreeSet::new();
    for user in 0..40 {
        let path = format!("/?a=1&user={user}");
        let first = ask(&scene, &path, None).await;
        assert_eq!(ask(&other, &path, None).await.text(), first.text());
        seen.insert(first.text().to_owned());
    }
    assert_eq!(seen.len(), 4);
}

/// Tries release 3 out at `apps`, which gets `percent` of the requests.
async fn try_out(scene: &Scene, apps: &[App], settings: &[(&str, &str)]) -> u64 {
    let endpoint = |(number, address): (usize, SocketAddr)| Endpoint {
        container: ContainerName::parse(&format!("blog_v3.web.{}", number + 1)).unwrap(),
        address,
    };
    let endpoints: Vec<_> = addresses(apps).into_iter().enumerate().map(endpoint).collect();
    let canary = (!apps.is_empty()).then(|| Canary {
        release: ReleaseVersion::new(3).unwrap(),
        endpoints,
        health_check: None,
    });
    let generation = scene.controller.reroute("blog", |route| route.canary = canary);
    set(scene, settings).await;
    generation
}

#[tokio::test]
async fn a_release_that_is_tried_out_gets_its_share() {
    let scene = Scene::new().await;
    let (stable, canary) = (apps(&["stable"]).await, apps(&["canary"]).await);
    route(&scene, &stable, &[]).await;
    for (percent, expected) in [("0", 0..1), ("30", 25..100), ("100", 200..201)] {
        try_out(&scene, &canary, &[("canary", percent)]).await;
        let mut count = 0;
        for _ in 0..200 {
            count += usize::from(scene.get("blog", "/").await.text() == "canary");
        }
        assert!(expected.contains(&count), "{count} of 200 at {percent} percent");
    }
}

#[tokio::test]
async fn a_client_stays_with_the_release_that_it_met_first() {
    let scene = Scene::new().await;
    let (stable, canary) = (apps(&["stable", "stable"]).await, apps(&["canary"]).await);
    route(&scene, &stable, &[]).await;
    try_out(&scene, &canary, &[("canary", "50"), ("affinityCookie", "stick")]).await;
    let mut met = std::collections::BTreeSet::new();
    while met.len() < 2 {
        let first = ask(&scene, "/", None).await;
        let cookie = given(&first);
        for _ in 0..5 {
            assert_eq!(ask(&scene, "/", cookie.as_deref()).await.text(), first.text());
        }
        met.insert(first.text().to_owned());
    }
}

#[tokio::test]
async fn a_release_that_is_tried_out_drains_like_any_other_and_may_take_over() {
    let scene = Scene::new().await;
    let (stable, canary) = (apps(&["stable"]).await, apps(&["canary"]).await);
    route(&scene, &stable, &[]).await;
    try_out(&scene, &canary, &[("canary", "100")]).await;
    let mut held = scene.client().await;
    held.send("GET /hold HTTP/1.1\r\nHost: blog.example.com\r\n\r\n").await;
    until(|| canary[0].requests() == 1).await;
    // It takes over: the same container, which nothing has to leave.
    let generation = scene.controller.route("blog", 3, &addresses(&canary));
    scene.controller.drained(generation).await;
    assert_eq!(scene.get("blog", "/").await.text(), "canary");
    // It goes: what is under way there is waited for.
    let generation = scene.controller.route("blog", 4, &addresses(&stable));
    scene.controller.applied(generation).await;
    assert!(scene.controller.requests().iter().all(|request| request.drained < generation));
    canary[0].release();
    assert_eq!(held.answer().await.text(), "canary");
    scene.controller.drained(generation).await;
}

#[tokio::test]
async fn a_release_that_is_tried_out_and_fails_costs_no_visitor_a_page() {
    let scene = Scene::new().await;
    let (stable, mut canary) = (apps(&["stable"]).await, apps(&["canary"]).await);
    route(&scene, &stable, &[]).await;
    try_out(&scene, &canary, &[("canary", "100")]).await;
    canary.remove(0).stop().await;
    for _ in 0..20 {
        assert_eq!(scene.get("blog", "/").await.text(), "stable");
    }
}
