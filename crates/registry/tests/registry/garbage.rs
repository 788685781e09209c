//! Garbage collection: what goes, what stays.

use crate::client::{Client, IMAGE, INDEX, TestRegistry, descriptor, digest, image};
use deis_registry::{GarbageReport, Limits};
use futures::TryStreamExt;
use http::Method;
use serde_json::{Value, json};
use std::{
    fs,
    time::{Duration, SystemTime},
};

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
    assert_eq!(report, GarbageReport { tags: 1, manifests: 1, ..GarbageReport::default() });
    // Blobs go when no repository has had them since the collection before.
    let report = collect(&client, json!({ "app": ["v2"] })).await;
    assert_eq!(report, GarbageReport { blobs: 1, bytes: 3, ..GarbageReport::default() });
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

/// A store of files whose objects can be made old.
struct Aging(tempfile::TempDir);

impl Aging {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn registry(&self) -> TestRegistry {
        let store = deis_store::open(&format!("file://{}", self.0.path().display())).await.unwrap();
        TestRegistry::start_with(store, Limits::default()).await
    }

    /// Makes everything older than the grace period.
    fn age(&self) {
        let mut folders = vec![self.0.path().join("objects")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let past = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
                        fs::File::open(path).unwrap().set_modified(past).unwrap();
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn asking_for_an_old_blob_keeps_it_for_the_manifest_to_come() {
    let store = Aging::new();
    let registry = store.registry().await;
    let client = registry.client();
    for layer in ["asked for", "not asked for"] {
        client.push_blob("app", layer).await;
    }
    store.age();
    client.head(&format!("/v2/app/blobs/{}", digest("asked for"))).await.expect(200);
    collect(&client, json!({})).await;
    client.get(&format!("/v2/app/blobs/{}", digest("asked for"))).await.expect(200);
    client.get(&format!("/v2/app/blobs/{}", digest("not asked for"))).await.expect(404);
}

#[tokio::test]
async fn a_blob_that_is_mounted_before_it_would_go_stays() {
    let store = Aging::new();
    let registry = store.registry().await;
    let client = registry.client();
    let layer = client.push_blob("app", "layer").await;
    store.age();
    // As seen by a client that asks just before the link goes.
    let link = registry.store.list("images/repositories/app/", None).try_next().await.unwrap().unwrap();
    collect(&client, json!({})).await;
    registry.store.put_bytes(&link.key, bytes::Bytes::new()).await.unwrap();
    let mount = format!("/v2/other/blobs/uploads/?mount={layer}&from=app");
    client.call(Method::POST, &mount, &[], "").await.expect(201);
    for _ in 0..3 {
        store.age();
        client.head(&format!("/v2/other/blobs/{layer}")).await.expect(200);
        collect(&client, json!({})).await;
    }
    assert_eq!(client.get(&format!("/v2/other/blobs/{layer}")).await.body, "layer");
}

#[tokio::test]
async fn a_blob_that_is_pushed_again_before_it_would_go_is_kept_anew() {
    let store = Aging::new();
    let registry = store.registry().await;
    let client = registry.client();
    let layer = client.push_blob("app", "layer").await;
    store.age();
    collect(&client, json!({})).await;
    client.get(&format!("/v2/app/blobs/{layer}")).await.expect(404);
    store.age();
    client.push_blob("app", "layer").await;
    let report = collect(&client, json!({})).await;
    assert_eq!(report, GarbageReport { blobs: 1, bytes: 5, ..GarbageReport::default() });
    assert_eq!(client.get(&format!("/v2/app/blobs/{layer}")).await.body, "layer");
}

/// Pushes an image as clients do: asks for each blob, sends those that are missing, then the manifest.
async fn push(client: Client, tag: String, layer: String) {
    loop {
        for content in ["{}", &layer] {
            if client.head(&format!("/v2/app/blobs/{}", digest(content))).await.status == 404 {
                client.push_blob("app", content).await;
            }
        }
        let put = client.put_manifest("app", &tag, IMAGE, &image(&layer)).await;
        match put.status.as_u16() {
            201 => return,
            _ => put.refuse(400, "MANIFEST_BLOB_UNKNOWN"),
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_registry_collects_while_others_take_pushes_and_nothing_acknowledged_is_lost() {
    let store = Aging::new();
    let [first, second, collector] = [store.registry().await, store.registry().await, store.registry().await];
    let tag = |pusher: usize, number: usize| format!("v{pusher}-{number}");
    let layer = |round: usize, number: usize| format!("layer {}", (round + number) % 4);
    for round in 0..6 {
        store.age();
        // Old tags of some pushers are in use, those of the others are to go, and all are pushed anew meanwhile.
        let kept: Vec<_> = (0..3).map(|number| tag(round % 3, number)).collect();
        let pushes = [first.client(), second.client(), first.client()].into_iter().enumerate().map(
            |(pusher, client)| {
                tokio::spawn(async move {
                    for number in 0..3 {
                        push(client, tag(pusher, number), layer(round, number)).await;
                    }
                })
            },
        );
        let pushes: Vec<_> = pushes.collect();
        while pushes.iter().any(|push| !push.is_finished()) {
            collect(&collector.client(), json!({ "app": kept })).await;
        }
        for push in pushes {
            push.await.unwrap();
        }
        collect(&collector.client(), json!({ "app": kept })).await;
        for (pusher, number) in (0..3).flat_map(|pusher| (0..3).map(move |number| (pusher, number))) {
            let client = second.client();
            let manifest =
                client.get(&format!("/v2/app/manifests/{}", tag(pusher, number))).await.expect(200);
            assert_eq!(manifest.json(), image(&layer(round, number)));
            for content in ["{}", &layer(round, number)] {
                assert_eq!(
                    client.get(&format!("/v2/app/blobs/{}", digest(content))).await.expect(200).body,
                    content
                );
            }
        }
    }
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
