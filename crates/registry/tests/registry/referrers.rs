//! What refers to a manifest.

use crate::client::{Client, IMAGE, INDEX, TestRegistry, descriptor, digest, image};
use serde_json::{Value, json};

/// Pushes something about the image with that layer, and gives its digest.
async fn push_about(client: &Client, layer: &str, artifact_type: &str) -> String {
    client.push_blob("a", "{}").await;
    let mut about = image("layer");
    about["layers"] = json!([descriptor("{}", "application/json")]);
    about["artifactType"] = artifact_type.into();
    about["annotations"] = json!({ "made": "today" });
    about["subject"] = descriptor(&image(layer).to_string(), IMAGE);
    let digest = digest(about.to_string());
    let put = client.put_manifest("a", &digest, IMAGE, &about).await.expect(201);
    assert_eq!(put.header("oci-subject"), about["subject"]["digest"]);
    digest
}

fn digests(index: &Value) -> Vec<&str> {
    index["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn referrers_are_listed_and_filtered_by_type() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let signature = push_about(&client, "layer", "signature").await;
    let bill = push_about(&client, "layer", "bill").await;
    push_about(&client, "another layer", "signature").await;
    let path = format!("/v2/a/referrers/{}", digest(image("layer").to_string()));
    let all = client.get(&path).await.expect(200);
    assert_eq!((all.header("content-type"), all.header("oci-filters-applied")), (INDEX, ""));
    let mut expected = [signature.as_str(), bill.as_str()];
    expected.sort_unstable();
    assert_eq!(digests(&all.json()), expected);
    let some = client.get(&format!("{path}?artifactType=bill")).await.expect(200);
    assert_eq!(some.header("oci-filters-applied"), "artifactType");
    assert_eq!(digests(&some.json()), [bill.as_str()]);
    let entry = &some.json()["manifests"][0];
    assert_eq!((&entry["artifactType"], &entry["annotations"]["made"]), (&json!("bill"), &json!("today")));
}

#[tokio::test]
async fn a_deleted_referrer_is_not_listed() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let signature = push_about(&client, "layer", "signature").await;
    client.delete(&format!("/v2/a/manifests/{signature}")).await.expect(202);
    let path = format!("/v2/a/referrers/{}", digest(image("layer").to_string()));
    assert!(digests(&client.get(&path).await.expect(200).json()).is_empty());
}
