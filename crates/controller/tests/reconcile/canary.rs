//! Canaries: two releases at a time, of which visitors meet the new one by a part of their requests only.

use std::sync::atomic::Ordering;
use std::time::Duration;

use deis_api::internal::RoutesRequest;
use deis_controller::app::Deploys;
use deis_model::{AppRoute, ProcessType, ReleaseState, ReleaseVersion};

use crate::bench::Bench;

/// Long enough for a good release, short enough to wait for in vain.
const SHORT: Duration = Duration::from_secs(5);

/// Longer than anything takes that is not to end by itself.
const LONG: Duration = Duration::from_secs(600);

fn version(number: u32) -> ReleaseVersion {
    ReleaseVersion::new(number).unwrap()
}

impl Bench {
    /// Whether, and by how many of a hundred requests, new releases are tried out from now on.
    async fn weigh(&self, weight: &str) {
        let changed = self.database.change_app_settings(&self.app, "tcp/port", |settings| {
            settings.insert("canary".to_owned(), weight.to_owned());
            Ok::<_, ()>(())
        });
        changed.await.unwrap().unwrap();
        self.deployer.wake(&self.app);
    }

    /// `v2` serves with so many containers, and `v3` is tried out by so many of a hundred requests.
    async fn trying(replicas: u32, weight: &str) -> Self {
        Self::trying_within(Duration::from_secs(20), replicas, weight).await
    }

    /// The same, where a release may take so long to get ready.
    async fn trying_within(ready_timeout: Duration, replicas: u32, weight: &str) -> Self {
        let bench = Self::weighing(ready_timeout, weight).await;
        bench.scale(replicas).await.unwrap();
        assert_eq!(bench.push("better").await.unwrap(), version(3));
        bench
    }

    /// `v2` serves, and what comes next will be tried out.
    async fn weighing(ready_timeout: Duration, weight: &str) -> Self {
        let bench = Self::quiet(ready_timeout).await;
        bench.reconcile();
        bench.report();
        bench.push("good").await.unwrap();
        bench.weigh(weight).await;
        bench
    }

    fn route(&self) -> AppRoute {
        let request = RoutesRequest {
            router: String::new(),
            epoch: String::new(),
            applied: 0,
            drained: 0,
            draining: None,
            hold: false,
        };
        self.book.news(&request).expect("the book is open").routes.remove(0)
    }

    /// What is tried out and its part of the requests: `v3.web.1 10`; empty if nothing is.
    fn tried(&self) -> String {
        let route = self.route();
        let Some(canary) = &route.canary else { return String::new() };
        let names = canary.endpoints.iter().map(|endpoint| endpoint.container.to_string());
        let names: Vec<_> = names.map(|name| name.trim_start_matches("blog_").to_owned()).collect();
        format!("{} {}", names.join(" "), route.settings["canary"])
    }

    async fn tries(&self, expected: &str) {
        self.until(&format!("{expected:?} is tried out"), || self.tried() == expected).await;
    }

    /// The engine's id of the container.
    async fn id(&self, name: &str) -> String {
        let containers = self.deployer.containers(&self.app).await.unwrap();
        containers.into_iter().find(|found| found.name.to_string() == name).unwrap().id
    }

    /// Waits until users are told of exactly these containers.
    async fn lists(&self, expected: &[&str]) {
        for _ in 0..6000 {
            let listed = self.database.containers(&self.app).await.unwrap();
            let mut listed: Vec<_> =
                listed.iter().map(|found| format!("{}.{}", found.version, found.num)).collect();
            listed.sort();
            if listed == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{expected:?} are not listed within a minute");
    }

    async fn state(&self, number: u32) -> ReleaseState {
        self.database.release(&self.app, version(number)).await.unwrap().unwrap().state
    }
}

#[tokio::test]
async fn a_canary_serves_beside_the_release_before_it() {
    let bench = Bench::trying(3, "10").await;
    assert_eq!(bench.tried(), "v3.web.1 10");
    assert_eq!(bench.routed(), ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.web.3"]);
    assert_eq!(bench.route().release, Some(version(2)));
    bench.lists(&["v2.1", "v2.2", "v2.3", "v3.1"]).await;
}

#[tokio::test]
async fn a_promoted_canary_serves_all_with_the_containers_that_were_tried_out() {
    let bench = Bench::trying(2, "10").await;
    let tried = bench.id("blog_v3.web.1").await;
    bench.database.promote(&bench.app).await.unwrap();
    bench.deployer.await_release(&bench.app, version(3)).await.unwrap();
    assert_eq!(bench.routed(), ["blog_v3.web.1", "blog_v3.web.2"]);
    assert_eq!(bench.tried(), "");
    bench.settles_on(&["blog_v3.web.1", "blog_v3.web.2"]).await;
    assert_eq!(bench.id("blog_v3.web.1").await, tried, "it was made anew");
}

#[tokio::test]
async fn an_ended_canary_leaves_the_release_before_it_alone() {
    let bench = Bench::trying(2, "10").await;
    assert!(bench.database.end_canaries(&bench.app, "ann ended it").await.unwrap());
    bench.tries("").await;
    bench.settles_on(&["blog_v2.web.1", "blog_v2.web.2"]).await;
    assert_eq!(bench.routed(), ["blog_v2.web.1", "blog_v2.web.2"]);
}

#[tokio::test]
async fn a_canary_without_requests_is_ended() {
    let bench = Bench::trying(1, "10").await;
    bench.weigh("0").await;
    bench.settles_on(&["blog_v2.web.1"]).await;
    assert_eq!(bench.state(3).await, ReleaseState::Ended);
    assert_eq!(bench.push("next").await.unwrap(), version(4));
    assert_eq!(bench.routed(), ["blog_v4.web.1"]);
}

#[tokio::test]
async fn a_canary_grows_with_the_app_and_its_part_of_the_requests() {
    let bench = Bench::trying(4, "25").await;
    assert_eq!(bench.tried(), "v3.web.1 25");
    bench.weigh("50").await;
    bench.tries("v3.web.1 v3.web.2 50").await;
    bench.scale(2).await.unwrap();
    bench.tries("v3.web.1 50").await;
    bench.settles_on(&["blog_v2.web.1", "blog_v2.web.2", "blog_v3.web.1"]).await;
}

#[tokio::test]
async fn the_next_canary_takes_the_place_of_the_one_before() {
    let bench = Bench::trying(1, "10").await;
    bench.push("even better").await.unwrap();
    assert_eq!(bench.tried(), "v4.web.1 10");
    bench.settles_on(&["blog_v2.web.1", "blog_v4.web.1"]).await;
    assert_eq!(bench.state(3).await, ReleaseState::Ended);
    let failure = bench.push("crash").await.unwrap_err().to_string();
    assert!(failure.contains("keeps exiting"), "{failure}");
    assert_eq!(bench.tried(), "v4.web.1 10", "what does not start takes no place");
}

#[tokio::test]
async fn a_canary_that_does_not_get_ready_is_never_tried_out() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.weigh("10").await;
    bench.push("crash").await.unwrap_err();
    assert_eq!((bench.tried().as_str(), bench.state(3).await), ("", ReleaseState::Failed));
    bench.settles_on(&["blog_v2.web.1"]).await;
}

#[tokio::test]
async fn a_canary_that_falls_ill_ends_by_itself() {
    let bench = Bench::trying_within(SHORT, 1, "10").await;
    *bench.ill.lock().unwrap() = Some("blog_v3.");
    bench.tries(" 0").await;
    bench.tries("").await;
    bench.settles_on(&["blog_v2.web.1"]).await;
    let ended = bench.database.release(&bench.app, version(3)).await.unwrap().unwrap();
    assert_eq!(ended.state, ReleaseState::Failed);
    assert!(ended.failure.unwrap().contains("did not become ready within 5 s"));
}

#[tokio::test]
async fn a_canary_outlives_a_registry_that_is_away() {
    let bench = Bench::weighing(SHORT, "10").await;
    let tried = bench.release("unavailable").await;
    bench.database.mark_tried(&bench.app, tried).await.unwrap();
    tokio::time::sleep(SHORT).await;
    let before = bench.refusals.load(Ordering::SeqCst);
    bench.until("the registry is missed", || bench.refusals.load(Ordering::SeqCst) > before + 1).await;
    assert_eq!(bench.state(3).await, ReleaseState::Canary);
    bench.has_pulled.add_permits(1);
    bench.tries("v3.web.1 10").await;
}

#[tokio::test]
async fn going_back_ends_a_canary_once_it_serves() {
    let bench = Bench::trying(1, "10").await;
    let back = bench.database.release_rollback(&bench.app, "ann", None).await.unwrap().release.version;
    bench.deployer.await_release(&bench.app, back).await.unwrap();
    assert_eq!(bench.routed(), ["blog_v4.web.1"]);
    bench.settles_on(&["blog_v4.web.1"]).await;
    assert_eq!(bench.state(3).await, ReleaseState::Ended);
}

#[tokio::test]
async fn a_restart_makes_a_canary_anew_too() {
    let bench = Bench::trying(1, "10").await;
    let (serving, tried) = (bench.id("blog_v2.web.1").await, bench.id("blog_v3.web.1").await);
    let restarted = bench.deployer.restart(&bench.app, None, None).await.unwrap();
    assert_eq!(restarted.len(), 2);
    bench.settles_on(&["blog_v2.web.1", "blog_v3.web.1"]).await;
    assert_ne!(bench.id("blog_v2.web.1").await, serving);
    assert_ne!(bench.id("blog_v3.web.1").await, tried);
    bench.tries("v3.web.1 10").await;
}

#[tokio::test]
async fn a_canary_that_is_being_promoted_is_listed_and_restarted_like_any_other() {
    let bench = Bench::trying_within(LONG, 4, "50").await;
    *bench.ill.lock().unwrap() = Some("blog_v3.web.4");
    bench.database.promote(&bench.app).await.unwrap();
    let serving = ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.web.3", "blog_v2.web.4"];
    let promoted = ["blog_v3.web.1", "blog_v3.web.2", "blog_v3.web.3", "blog_v3.web.4"];
    bench.settles_on(&[serving, promoted].concat()).await;
    bench.lists(&["v2.1", "v2.2", "v2.3", "v2.4", "v3.1", "v3.2"]).await;
    let tried = bench.id("blog_v3.web.1").await;
    let restarted = bench.deployer.restart(&bench.app, Some(&ProcessType::web()), Some(1)).await.unwrap();
    assert_eq!(restarted.len(), 2);
    assert_ne!(bench.id("blog_v3.web.1").await, tried);
    assert_eq!(bench.state(3).await, ReleaseState::Promoted);
    *bench.ill.lock().unwrap() = None;
    bench.deployer.await_release(&bench.app, version(3)).await.unwrap();
    bench.settles_on(&promoted).await;
}

#[tokio::test]
async fn a_canary_goes_on_under_the_next_controller() {
    let bench = Bench::trying(1, "10").await;
    bench.term.suspend().await;
    bench.term.resume().await;
    bench.tries("v3.web.1 10").await;
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
    bench.settles_on(&["blog_v2.web.1", "blog_v3.web.1"]).await;
}
