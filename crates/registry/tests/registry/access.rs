//! Who may talk to the registry, and what it says to those who may not.

use crate::client::{TestRegistry, request};
use axum::body::Body;
use http::{Method, Request};

#[tokio::test]
async fn nothing_is_answered_without_credentials() {
    let registry = TestRegistry::start().await;
    for (method, path) in
        [("GET", "/v2/"), ("GET", "/v2/_catalog"), ("POST", "/internal/garbage"), ("GET", "/x"), ("PUT", "/")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = registry.client().send(request).await.refuse(401, "UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), "Basic realm=\"deis\"", "{path}");
    }
}

#[tokio::test]
async fn the_protocol_is_announced() {
    let registry = TestRegistry::start().await;
    for path in ["/v2/", "/v2"] {
        let answer = registry.client().get(path).await.expect(200);
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_as_json() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    client.get("/v2/a/b/c").await.refuse(404, "UNSUPPORTED");
    client.get("/").await.refuse(404, "UNSUPPORTED");
    client.get("/internal/garbage").await.refuse(405, "UNSUPPORTED");
    client.call(Method::POST, "/v2/a/manifests/v1", &[], "").await.refuse(405, "UNSUPPORTED");
    client.get("/v2/A/tags/list").await.refuse(400, "NAME_INVALID");
    client.get("/v2/..%2f..%2fetc/tags/list").await.refuse(400, "NAME_INVALID");
    client.get("/v2/a/blobs/sha256:x").await.refuse(400, "DIGEST_INVALID");
    client.get("/v2/a/tags/list?n=x").await.refuse(400, "PAGINATION_NUMBER_INVALID");
    client.send(request(Method::GET, "/v2/%ff/tags/list", &[], "")).await.expect(400);
}
