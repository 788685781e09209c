//! What the app cannot help: hosts in trouble, a registry that is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use deis_model::ReleaseState;

use crate::bench::Bench;

/// Long enough for a good release, short enough to wait for in vain.
const SHORT: Duration = Duration::from_secs(5);

async fn impatient() -> Bench {
    let bench = Bench::quiet(SHORT).await;
    bench.reconcile();
    bench.report();
    bench
}

#[tokio::test]
async fn a_host_that_turns_containers_away_for_a_while_fails_no_release() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    bench.push("reluctant").await.unwrap();
    assert_eq!(bench.routed(), ["blog_v3.web.1"]);
}

#[tokio::test]
async fn a_release_that_no_host_starts_in_time_fails_with_what_hosts_say() {
    let bench = impatient().await;
    let version = bench.release("stuck").await;
    let failure = bench.fails(version).await;
    let expected = "web.1 could not be started within 5 s: failed to set up container networking";
    assert_eq!(failure, expected);
}

#[tokio::test]
async fn a_registry_that_is_away_for_a_while_fails_no_release() {
    let bench = Bench::start().await;
    bench.push("good").await.unwrap();
    let version = bench.release("unavailable").await;
    bench.term.wake(&bench.app);
    bench.until("the registry is missed", || bench.refusals.load(Ordering::SeqCst) > 1).await;
    let release = bench.database.release(&bench.app, version).await.unwrap().unwrap();
    assert_eq!(release.state, ReleaseState::Pending);
    assert_eq!(bench.routed(), ["blog_v2.web.1"]);
    bench.has_pulled.add_permits(1);
    bench.routes(&["blog_v3.web.1"]).await;
}

#[tokio::test]
async fn a_release_whose_registry_stays_away_fails_with_the_reason() {
    let bench = impatient().await;
    let version = bench.release("unavailable").await;
    let failure = bench.fails(version).await;
    let expected =
        "it could not be started within 5 s: image unavailable was not found: connect: connection refused";
    assert_eq!(failure, expected);
}

#[tokio::test]
async fn a_scale_that_waits_for_the_registry_says_so_when_its_time_is_over() {
    let bench = impatient().await;
    let version = bench.release("unavailable").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    let failure = bench.scale(2).await.unwrap_err().to_string();
    assert_eq!(failure, "image unavailable was not found: connect: connection refused");
}
