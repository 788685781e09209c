//! Manifests and tags.

use crate::client::{IMAGE, INDEX, TestRegistry, descriptor, digest, image};
use http::Method;
use serde_json::json;

#[tokio::test]
async fn an_image_is_found_by_tag_and_by_digest() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_image("a", "v1", "layer").await;
    for reference in ["v1", &digest] {
        let path = format!("/v2/a/manifests/{reference}");
        let got = client.get(&path).await.expect(200);
        assert_eq!(got.body, image("layer").to_string());
        assert_eq!((got.header("content-type"), got.header("docker-content-digest")), (IMAGE, &*digest));
        let head = client.head(&path).await.expect(200);
        assert_eq!(head.header("content-length"), got.body.len().to_string());
        assert_eq!(head.header("docker-content-digest"), digest);
    }
}

#[tokio::test]
async fn a_tag_moves() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let old = client.push_image("a", "v1", "old").await;
    let new = client.push_image("a", "v1", "new").await;
    assert_eq!(client.head("/v2/a/manifests/v1").await.header("docker-content-digest"), new);
    client.get(&format!("/v2/a/manifests/{old}")).await.expect(200);
}

#[tokio::test]
async fn concurrent_pushes_of_one_tag_leave_one_of_them() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let pushes = (0..8).map(|number| {
        tokio::spawn(async move { client.push_image("a", "v1", &format!("layer {number}")).await })
    });
    let mut digests = Vec::new();
    for push in pushes.collect::<Vec<_>>() {
        digests.push(push.await.unwrap());
    }
    let held = client.get("/v2/a/manifests/v1").await.expect(200);
    assert!(digests.contains(&held.header("docker-content-digest").to_owned()));
    assert_eq!(digest(&held.body), held.header("docker-content-digest"));
}

#[tokio::test]
async fn a_manifest_whose_content_is_missing_is_refused() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    client.push_blob("a", "{}").await;
    client.push_blob("b", "layer").await;
    let refused =
        client.put_manifest("a", "v1", IMAGE, &image("layer")).await.refuse(400, "MANIFEST_BLOB_UNKNOWN");
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().contains(&digest("layer")));
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor("absent", IMAGE)] });
    client.put_manifest("a", "v1", INDEX, &index).await.refuse(400, "MANIFEST_BLOB_UNKNOWN");
    client.get("/v2/a/manifests/v1").await.refuse(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn an_index_lists_images() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    client.push_image("a", "amd64", "layer").await;
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor(&image("layer").to_string(), IMAGE)] });
    client.put_manifest("a", "v1", INDEX, &index).await.expect(201);
    assert_eq!(client.get("/v2/a/manifests/v1").await.expect(200).header("content-type"), INDEX);
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let path = "/v2/a/manifests/v1";
    let put = async |body: String| client.call(Method::PUT, path, &[("content-type", IMAGE)], body).await;
    put("{".into()).await.refuse(400, "MANIFEST_INVALID");
    put(json!({ "schemaVersion": 1 }).to_string()).await.refuse(400, "MANIFEST_INVALID");
    put(" ".repeat((4 << 20) + 1)).await.refuse(413, "SIZE_INVALID");
    client.put_manifest("a", &digest("other"), IMAGE, &image("layer")).await.refuse(400, "DIGEST_INVALID");
    client.put_manifest("a", ".v1", IMAGE, &image("layer")).await.refuse(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_tag_leaves_its_manifest() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_image("a", "v1", "layer").await;
    client.delete("/v2/a/manifests/v1").await.expect(202);
    client.delete("/v2/a/manifests/v1").await.refuse(404, "MANIFEST_UNKNOWN");
    client.get(&format!("/v2/a/manifests/{digest}")).await.expect(200);
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_image("a", "v1", "layer").await;
    client.push_image("a", "same", "layer").await;
    client.push_image("a", "other", "other layer").await;
    client.delete(&format!("/v2/a/manifests/{digest}")).await.expect(202);
    assert_eq!(client.get("/v2/a/tags/list").await.json()["tags"], json!(["other"]));
    client.get(&format!("/v2/a/manifests/{digest}")).await.refuse(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn tags_and_repositories_are_listed_in_pages() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    for (name, tag) in [("a", "v1"), ("a", "v10"), ("a", "v2"), ("a-b", "v1"), ("a/b", "v1")] {
        client.push_image(name, tag, "layer").await;
    }
    let all = client.get("/v2/a/tags/list").await.expect(200);
    assert_eq!(all.json(), json!({ "name": "a", "tags": ["v1", "v10", "v2"] }));
    assert_eq!(all.header("link"), "");
    let page = client.get("/v2/a/tags/list?n=2").await.expect(200);
    assert_eq!(page.json()["tags"], json!(["v1", "v10"]));
    assert_eq!(page.header("link"), "</v2/a/tags/list?n=2&last=v10>; rel=\"next\"");
    let rest = client.get("/v2/a/tags/list?n=2&last=v10").await.expect(200);
    assert_eq!((rest.json()["tags"].clone(), rest.header("link")), (json!(["v2"]), ""));
    assert_eq!(client.get("/v2/a/tags/list?n=0").await.expect(200).json()["tags"], json!([]));
    client.get("/v2/absent/tags/list").await.refuse(404, "NAME_UNKNOWN");

    assert_eq!(client.get("/v2/_catalog").await.json(), json!({ "repositories": ["a", "a-b", "a/b"] }));
    let page = client.get("/v2/_catalog?n=1&last=a").await.expect(200);
    assert_eq!(page.json(), json!({ "repositories": ["a-b"] }));
    assert_eq!(page.header("link"), "</v2/_catalog?n=1&last=a-b>; rel=\"next\"");
}
