//! Pushes that fail: each with its reason, and with nothing changed.

use std::time::Duration;

use axum::http::StatusCode;

use crate::fixture::{Client, Platform, wait};

/// Asserts that a push fails with `reason` and, the cause being gone, the same commit can be pushed.
async fn check(cause: impl Fn(&Platform, bool), reason: &str) {
    let platform = Platform::start().await;
    let client = platform.client().await;
    cause(&platform, true);
    client.push().await.failed().says(reason);
    let refs = client.git(&["ls-remote", "deis"]).await.stdout;
    assert_eq!(refs, "", "no branch has moved");
    cause(&platform, false);
    client.push().await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_rejects_the_push() {
    check(|platform, on| platform.images.knows().exit_code = i64::from(on), "the build failed with status 1")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_out_of_memory_says_so() {
    check(|platform, on| platform.images.knows().out_of_memory = on, "the build ran out of memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_launch_rejects_the_push_with_the_cause() {
    let failure = (StatusCode::SERVICE_UNAVAILABLE, "web.1: port 5000 refused the connection".to_owned());
    let cause = |platform: &Platform, on: bool| {
        platform.controller.knows().failure = on.then(|| failure.clone());
    };
    check(cause, " !     web.1: port 5000 refused the connection").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_engine_is_told() {
    check(|platform, on| platform.images.knows().away = on, "does not answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stack_is_told() {
    check(
        |platform, on| platform.images.knows().no_stack = on,
        "the stack image deis/stack:latest is missing",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told() {
    let cause = |platform: &Platform, on: bool| {
        platform.images.knows().failure = on.then(|| "write /x: no space left on device".to_owned());
    };
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.commit("Dockerfile", "FROM scratch").await;
    cause(&platform, true);
    client.push().await.failed().says("the disk of the builder is full");
    cause(&platform, false);
    client.push().await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_dockerfile_shows_the_engines_words() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.commit("Dockerfile", "FROM scratch").await;
    platform.images.knows().failure = Some("The command '/bin/false' returned a non-zero code: 1".to_owned());
    client.push().await.failed().says("the Dockerfile build failed: The command '/bin/false' returned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_told_before_the_build() {
    let platform = Platform::start_with(|config| config.registry = "127.0.0.1:1".to_owned()).await;
    let client = platform.client().await;
    client.push().await.failed().says("the registry at 127.0.0.1:1 does not answer");
    assert!(platform.images.knows().builds.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_not_kept_asks_for_another_push() {
    let cause = |platform: &Platform, on: bool| {
        platform.images.knows().registry_failure = on.then(|| "connection reset".to_owned());
    };
    check(cause, "the registry did not take the image: ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_procfile_that_is_none_is_refused_before_the_build() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.commit("Procfile", "web: [").await;
    client.push().await.failed().says("the Procfile is not valid yaml");
    client.commit("Procfile", "- web").await;
    client.push().await.failed().says("the Procfile is not a map");
    assert!(platform.images.knows().builds.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_over_the_limit_is_refused() {
    let platform = Platform::start_with(|config| config.limits.push_bytes = 2000).await;
    let client = platform.client().await;
    let noise: String = (0..20_000_u64).map(|it| (it * it * 7919 % 1_000_003).to_string()).collect();
    client.commit("noise", &noise).await;
    client.push().await.failed().says("pack exceeds maximum allowed size");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_app_and_a_foreign_app_are_told_apart() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    for (app, reason) in
        [("none", "there is no app none"), ("wiki", "ann may not use wiki"), ("B_d", "is not an app")]
    {
        let url = format!("ssh://git@127.0.0.1:{}/{app}.git", platform.port);
        client.git(&["push", &url, "main"]).await.failed().says(reason);
        client.git(&["fetch", &url]).await.failed().says(reason);
    }
    let repositories = platform.data.path().join("repositories");
    assert_eq!(std::fs::read_dir(repositories).unwrap().count(), 0, "nothing is made for those who may not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_away_is_told() {
    let mut platform = Platform::start().await;
    let client = platform.client().await;
    platform.controller.stop().await;
    client.push().await.failed().says("the controller does not answer, so nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_told() {
    let platform = Platform::start().await;
    let stranger = Client::new(platform.port).await;
    stranger.push().await.failed().says("your SSH key is not known to this platform");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_fingerprint_alone_agrees_is_refused() {
    let platform = Platform::start().await;
    let stranger = Client::new(platform.port).await;
    let other = Client::new(platform.port).await;
    platform.controller.add_key_as("ann", &stranger.public_key(), &other.public_key());
    stranger.push().await.failed().says("your SSH key is not known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_push_at_the_same_time_is_refused() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    platform.images.knows().build = Duration::from_millis(1500);
    let first = client.start_push();
    wait("the build", || platform.controller.knows().pushes.len() == 1).await;
    client
        .git(&["push", "deis", "main:topic"])
        .await
        .failed()
        .says("Another git push is ongoing. Aborting...");
    first.end().await.succeeded();
    client.git(&["push", "deis", "main:topic"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pusher_who_leaves_stops_the_build_and_frees_the_app() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    platform.images.knows().build = Duration::from_secs(60);
    let first = client.start_push();
    wait("the build", || platform.controller.knows().pushes.len() == 1).await;
    first.interrupt().await;
    platform.images.knows().build = Duration::ZERO;
    // The end of the connection takes a moment to arrive.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.push().await.succeeded();
    assert_eq!(platform.controller.knows().builds.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_without_its_builder_rejects_the_push() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    std::fs::remove_file(platform.data.path().join("run/hook.sock")).unwrap();
    client.push().await.failed().says("the builder went away in the middle of the push");
}
