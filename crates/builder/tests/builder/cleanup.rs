//! What is left behind, repaired and removed.

use std::path::Path;
use std::time::Duration;

use crate::fixture::{BLOG, Platform, wait};

async fn check_repair(damage: impl Fn(&Path)) {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    damage(&platform.repository());
    client.commit("next", "push").await;
    client.push().await.succeeded().says("blog:v3 deployed");
    let names = std::fs::read_dir(platform.data.path().join("repositories")).expect("it is read");
    let names = names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let aside = names.filter(|name| name.starts_with(&format!("{BLOG}.broken-")));
    assert_eq!(aside.count(), 1, "the broken one is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_config_still_takes_pushes() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    std::fs::remove_file(platform.repository().join("config")).unwrap();
    client.commit("next", "push").await;
    client.push().await.succeeded().says("blog:v3 deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_with_a_damaged_config_is_replaced() {
    check_repair(|path| std::fs::write(path.join("config"), "\0\0[core").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_head_is_replaced() {
    check_repair(|path| std::fs::remove_file(path.join("HEAD")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_lost_its_objects_is_replaced() {
    check_repair(|path| std::fs::remove_dir_all(path.join("objects/pack")).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_go_on_after_a_restart() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    let platform = platform.restart().await;
    let client = client.at(platform.port).await;
    client.commit("next", "push").await;
    client.push().await.succeeded().says("blog:v3 deployed");
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_that_are_gone_leave_nothing_behind() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    assert_eq!(platform.images.knows().images.len(), 1);
    assert!(platform.images.knows().volumes.contains(BLOG));
    platform.controller.knows().apps.clear();
    let platform = platform.restart().await;
    let repositories = platform.data.path().join("repositories");
    wait("removal", || std::fs::read_dir(&repositories).unwrap().count() == 0).await;
    wait("removal of images", || platform.images.knows().images.is_empty()).await;
    assert!(platform.images.knows().volumes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_after_a_name_belongs_to_no_app() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    let repositories = platform.data.path().join("repositories");
    let named = [repositories.join("blog.git"), repositories.join("blog.broken-1")];
    for path in &named {
        std::fs::create_dir_all(path.join("objects")).unwrap();
    }
    std::fs::write(repositories.join("blog.lock"), "").unwrap();
    std::fs::write(repositories.join("notes.txt"), "an operator's").unwrap();
    let platform = platform.restart().await;
    wait("removal", || named.iter().all(|path| !path.exists())).await;
    assert!(!repositories.join("blog.lock").exists());
    assert!(repositories.join("notes.txt").exists(), "what is no repository is not touched");
    assert!(platform.repository().exists());
    assert!(platform.images.knows().volumes.contains(BLOG));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_while_the_controller_is_away() {
    let mut platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    platform.controller.stop().await;
    let platform = platform.restart().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(platform.repository().exists());
    assert_eq!(platform.images.knows().images.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_newest_images_stay() {
    let platform = Platform::start_with(|config| config.limits.kept_images = 2).await;
    let client = platform.client().await;
    for number in 0..4 {
        client.commit("count", &number.to_string()).await;
        client.push().await.succeeded();
    }
    wait("removal", || platform.images.knows().images.len() == 2).await;
    let newest = platform.images.knows().pushed.last().cloned().unwrap();
    assert!(platform.images.knows().images.contains(&newest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_under_way_at_shutdown_is_refused_with_the_reason() {
    let platform =
        Platform::start_with(|config| config.limits.shutdown_grace = Duration::from_millis(100)).await;
    let client = platform.client().await;
    platform.images.knows().build = Duration::from_secs(60);
    let pushing = client.start_push();
    wait("the build", || platform.controller.knows().pushes.len() == 1).await;
    platform.stop().await;
    pushing.end().await.failed().says("the builder is restarting");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_is_put_into_the_registry_ahead_of_pushes() {
    let platform = Platform::start().await;
    wait("the stack's push", || {
        platform.images.knows().pushed.iter().any(|image| image.ends_with("/deis/stack:latest"))
    })
    .await;
}
