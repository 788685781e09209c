//! Blobs: reading them, in parts, and forgetting them.

use crate::client::{TestRegistry, digest};
use http::Method;

#[tokio::test]
async fn a_blob_is_read_whole_or_in_part() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let path = format!("/v2/a/b/blobs/{}", client.push_blob("a/b", "0123456789").await);
    let whole = client.get(&path).await.expect(200);
    assert_eq!(
        (&*whole.body, whole.header("docker-content-digest")),
        (&b"0123456789"[..], &*digest("0123456789"))
    );
    let part = client.call(Method::GET, &path, &[("range", "bytes=2-4")], "").await.expect(206);
    assert_eq!((&*part.body, part.header("content-range")), (&b"234"[..], "bytes 2-4/10"));
    let outside = client.call(Method::GET, &path, &[("range", "bytes=10-")], "").await.expect(416);
    assert_eq!(outside.header("content-range"), "bytes */10");
    let head = client.head(&path).await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("10", 0));
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let registry = TestRegistry::start().await;
    let path = format!("/v2/a/blobs/{}", registry.client().push_blob("a", "").await);
    assert_eq!(registry.client().get(&path).await.expect(200).header("content-length"), "0");
}

#[tokio::test]
async fn an_absent_blob_is_unknown() {
    let registry = TestRegistry::start().await;
    let path = format!("/v2/a/blobs/{}", digest("absent"));
    registry.client().get(&path).await.refuse(404, "BLOB_UNKNOWN");
    registry.client().head(&path).await.expect(404);
    registry.client().delete(&path).await.refuse(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_repository_has_only_the_blobs_that_were_pushed_to_it() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_blob("mine", "secret").await;
    client.get(&format!("/v2/other/blobs/{digest}")).await.refuse(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_blob_deleted_in_one_repository_stays_in_another() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_blob("a", "shared").await;
    client.push_blob("b", "shared").await;
    client.delete(&format!("/v2/a/blobs/{digest}")).await.expect(202);
    client.get(&format!("/v2/a/blobs/{digest}")).await.expect(404);
    client.get(&format!("/v2/b/blobs/{digest}")).await.expect(200);
}

#[tokio::test]
async fn a_blob_is_mounted_from_a_repository_that_has_it() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let digest = client.push_blob("from", "layer").await;
    let mount = |from| format!("/v2/to/blobs/uploads/?mount={digest}&from={from}");
    let mounted = client.call(Method::POST, &mount("from"), &[], "").await.expect(201);
    assert_eq!(mounted.header("location"), format!("/v2/to/blobs/{digest}"));
    client.get(&format!("/v2/to/blobs/{digest}")).await.expect(200);
    let upload = client.call(Method::POST, &mount("elsewhere"), &[], "").await.expect(202);
    assert!(upload.header("location").starts_with("/v2/to/blobs/uploads/"));
}
