//! An app that has the name of an earlier one has nothing else of it.

use crate::fixture::{Platform, wait};

/// The UUID of the app that is called `blog` after another one was.
const REBORN: &str = "b1000000-0000-4000-8000-00000000000f";

fn replace_blog(platform: &Platform) {
    platform.controller.knows().apps.insert("blog".to_owned(), REBORN.to_owned());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_reborn_app_is_empty() {
    let platform = Platform::start().await;
    platform.client().await.push().await.succeeded();
    replace_blog(&platform);
    let other = platform.client().await;
    let url = format!("ssh://git@127.0.0.1:{}/blog.git", platform.port);
    other.git(&["clone", "--quiet", &url, "copy"]).await.succeeded();
    assert_eq!(other.git(&["-C", "copy", "rev-list", "--all"]).await.succeeded().stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_commit_is_deployed_again() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    replace_blog(&platform);
    client.push().await.succeeded().says("deployed to Deis");
    assert_eq!(platform.images.knows().builds.len(), 2);
    let uuids: Vec<_> = platform.controller.knows().builds.iter().map(|it| it.app_uuid.clone()).collect();
    assert_eq!(uuids[1], REBORN);
    assert!(platform.images.knows().volumes.contains(REBORN), "the cache is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_is_taken_without_force() {
    let platform = Platform::start().await;
    platform.client().await.push().await.succeeded();
    replace_blog(&platform);
    let other = platform.client().await;
    other.commit("other", "history").await;
    other.push().await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_the_earlier_app_is_not_released_in_its_heir() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    platform.images.knows().build = std::time::Duration::from_secs(1);
    let pushing = client.start_push();
    wait("the build", || platform.controller.knows().pushes.len() == 1).await;
    replace_blog(&platform);
    pushing.end().await.failed();
    assert!(platform.controller.knows().builds.is_empty());
}
