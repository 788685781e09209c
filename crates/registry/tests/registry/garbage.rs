//! Garbage collection: what goes, what stays.

use crate::client::{Client, IMAGE, INDEX, TestRegistry, descriptor, digest, image};
use deis_registry::{GarbageReport, Limits};
use futures::TryStreamExt;
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A registry that spares nothing for being young.
async fn start() -> TestRegistry {
    let limits = Limits { garbage_grace: Duration::ZERO, ..Limits::default() };
    TestRegistry::start_with(deis_store::open("memory://").await.unwrap(), limits).await
}

async fn collect(client: &Client, keep: Value) -> GarbageReport {
    let request = json!({ "keep": keep }).to_string();
    let answer = client.call(Method::POST, "/internal/garbage", &[], request).await.expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn what_no_kept_tag_needs_goes() {
    let registry = start().await;
    let client = registry.client();
    client.push_image("app", "v1", "old").await;
    client.push_image("app", "v2", "new").await;
    let report = collect(&client, json!({ "app": ["v2"] })).await;
    assert_eq!(report, GarbageReport { tags: 1, manifests: 1, blobs: 1, bytes: 3 });
    client.get("/v2/app/manifests/v1").await.expect(404);
    client.get(&format!("/v2/app/blobs/{}", digest("old"))).await.expect(404);
    client.get("/v2/app/manifests/v2").await.expect(200);
    client.get(&format!("/v2/app/blobs/{}", digest("new"))).await.expect(200);
    assert_eq!(collect(&client, json!({ "app": ["v2"] })).await, GarbageReport::default());
}

#[tokio::test]
async fn a_repository_that_is_not_named_keeps_everything() {
    let registry = start().await;
    let client = registry.client();
    client.push_image("app", "v1", "shared").await;
    let untagged = client.push_image("other", "v1", "shared").await;
    client.delete("/v2/other/manifests/v1").await.expect(202);
    let report = collect(&client, json!({ "app": [] })).await;
    assert_eq!(report, GarbageReport { tags: 1, manifests: 1, blobs: 0, bytes: 0 });
    client.get(&format!("/v2/other/manifests/{untagged}")).await.expect(200);
    client.get(&format!("/v2/other/blobs/{}", digest("shared"))).await.expect(200);
}

#[tokio::test]
async fn a_deleted_app_leaves_nothing() {
    let registry = start().await;
    let client = registry.client();
    client.push_image("app", "v1", "layer").await;
    client.push_blob("app", "pushed without a manifest").await;
    collect(&client, json!({ "app": [] })).await;
    let left: Vec<_> = registry.store.list("", None).try_collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_kept_digest_keeps_its_image_without_a_tag() {
    let registry = start().await;
    let client = registry.client();
    let digest = client.push_image("app", "v1", "layer").await;
    let report = collect(&client, json!({ "app": [digest] })).await;
    assert_eq!(report, GarbageReport { tags: 1, ..GarbageReport::default() });
    client.get(&format!("/v2/app/manifests/{digest}")).await.expect(200);
}

#[tokio::test]
async fn an_index_keeps_its_images_and_an_image_what_is_said_about_it() {
    let registry = start().await;
    let client = registry.client();
    let listed = client.push_image("app", "v1", "layer").await;
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor(&image("layer").to_string(), IMAGE)] });
    client.put_manifest("app", "multi", INDEX, &index).await.expect(201);
    let mut about = image("layer");
    about["subject"] = descriptor(&image("layer").to_string(), IMAGE);
    client.put_manifest("app", &digest(about.to_string()), IMAGE, &about).await.expect(201);
    let report = collect(&client, json!({ "app": ["multi"] })).await;
    assert_eq!(report, GarbageReport { tags: 1, ..GarbageReport::default() });
    let referrers = format!("/v2/app/referrers/{listed}");
    assert_eq!(client.get(&referrers).await.json()["manifests"].as_array().unwrap().len(), 1);
    collect(&client, json!({ "app": [] })).await;
    assert!(client.get(&referrers).await.json()["manifests"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_young_stays() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    client.push_image("app", "v1", "layer").await;
    client.push_blob("app", "pushed without a manifest yet").await;
    assert_eq!(collect(&client, json!({ "app": [] })).await, GarbageReport::default());
    client.get("/v2/app/manifests/v1").await.expect(200);
}

#[tokio::test]
async fn asking_for_an_old_blob_keeps_it_for_the_manifest_to_come() {
    let limits = Limits { garbage_grace: Duration::from_secs(2), ..Limits::default() };
    let registry = TestRegistry::start_with(deis_store::open("memory://").await.unwrap(), limits).await;
    let client = registry.client();
    for layer in ["asked for", "not asked for"] {
        client.push_blob("app", layer).await;
    }
    tokio::time::sleep(Duration::from_millis(2100)).await;
    client.head(&format!("/v2/app/blobs/{}", digest("asked for"))).await.expect(200);
    assert_eq!(
        collect(&client, json!({})).await,
        GarbageReport { blobs: 1, bytes: 13, ..GarbageReport::default() }
    );
    client.get(&format!("/v2/app/blobs/{}", digest("asked for"))).await.expect(200);
}

#[tokio::test]
async fn pushes_go_on_during_collections() {
    let limits = Limits { garbage_grace: Duration::from_millis(500), ..Limits::default() };
    let registry = TestRegistry::start_with(deis_store::open("memory://").await.unwrap(), limits).await;
    let client = registry.client();
    let pushes = tokio::spawn(async move {
        for number in 0..40 {
            let tag = format!("v{number}");
            let digest = client.push_image("app", &tag, &format!("layer {}", number % 3)).await;
            client.get(&format!("/v2/app/manifests/{digest}")).await.expect(200);
            client.get(&format!("/v2/app/blobs/{}", digest_of_layer(number))).await.expect(200);
        }
    });
    while !pushes.is_finished() {
        collect(&client, json!({ "app": [] })).await;
    }
    pushes.await.unwrap();
}

fn digest_of_layer(number: u32) -> String {
    digest(format!("layer {}", number % 3))
}

#[tokio::test]
async fn a_request_that_is_wrong_removes_nothing() {
    let registry = start().await;
    let client = registry.client();
    client.push_image("app", "v1", "layer").await;
    for request in ["", "{}", r#"{"keep":{"app":[".x"]}}"#, r#"{"keep":{"App":[]}}"#, r#"{"keep":["app"]}"#] {
        client.call(Method::POST, "/internal/garbage", &[], request).await.expect(400);
    }
    client.get("/v2/app/manifests/v1").await.expect(200);
}
