//! Builders that share a store: what one acknowledged, the next has.

use std::sync::Arc;

use deis_api::client::InternalClient;
use deis_store::MemoryStore;

use crate::fixture::{BLOG, Client, INTERNAL_KEY, Platform};

/// A builder that keeps copies in a store.
async fn start(store: &Arc<MemoryStore>) -> Platform {
    Platform::start_with(|config| config.mirror = Some(store.clone())).await
}

/// Another builder with the same store, known to the same controller.
async fn start_beside(one: &Platform, store: &Arc<MemoryStore>) -> Platform {
    Platform::start_with(|config| {
        config.mirror = Some(store.clone());
        config.controller = InternalClient::new(&one.controller.url(), INTERNAL_KEY);
    })
    .await
}

/// The subjects of what is on `main` at the builder that `client` talks to.
async fn history(client: &Client) -> Vec<String> {
    client.git(&["fetch", "--quiet", "deis", "main"]).await.succeeded();
    let log = client.git(&["log", "--format=%s", "FETCH_HEAD"]).await.succeeded();
    log.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_there_for_the_builder_that_comes_after() {
    let store = Arc::new(MemoryStore::default());
    let one = start(&store).await;
    let client = one.client().await;
    client.push().await.succeeded();
    let two = start_beside(&one, &store).await;
    let client = client.at(two.port).await;
    assert_eq!(history(&client).await, ["Procfile"]);
    client.commit("second", "two").await;
    client.push().await.succeeded().says("deployed to Deis");
    let client = client.at(one.port).await;
    assert_eq!(history(&client).await, ["second", "Procfile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_that_are_only_kept_are_copied_too() {
    let store = Arc::new(MemoryStore::default());
    let one = start(&store).await;
    let client = one.client().await;
    client.git(&["push", "deis", "main:topic"]).await.succeeded().says("topic is kept");
    let two = start_beside(&one, &store).await;
    let client = client.at(two.port).await;
    client.git(&["ls-remote", "deis"]).await.succeeded().says("refs/heads/topic");
    client.git(&["push", "deis", ":topic"]).await.succeeded();
    let client = client.at(one.port).await;
    assert_eq!(client.git(&["ls-remote", "deis"]).await.succeeded().stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_was_replaced_meanwhile_acknowledges_nothing() {
    let store = Arc::new(MemoryStore::default());
    let one = start(&store).await;
    let client = one.client().await;
    client.push().await.succeeded();
    let counting = one.controller.knows().copies[BLOG].clone();
    one.controller.knows().overtaken_by = Some("of-another".to_owned());
    client.commit("second", "two").await;
    client.push().await.failed().says("another builder took a push");
    // It acknowledged nothing, so the same push is taken as if there had been none.
    one.controller.knows().copies.insert(BLOG.to_owned(), counting);
    client.push().await.succeeded().says("deployed to Deis");
    let two = start_beside(&one, &store).await;
    assert_eq!(history(&client.at(two.port).await).await, ["second", "Procfile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_launched_is_not_copied() {
    let store = Arc::new(MemoryStore::default());
    let one = start(&store).await;
    let client = one.client().await;
    client.push().await.succeeded();
    let counting = one.controller.knows().copies.clone();
    one.controller.knows().failure = Some((axum::http::StatusCode::CONFLICT, "it crashed".to_owned()));
    client.commit("second", "two").await;
    client.push().await.failed().says("it crashed");
    assert_eq!(one.controller.knows().copies, counting);
    assert_eq!(history(&client).await, ["Procfile"]);
}
