//! A store that is away: told at once, to clients and to operators.

use crate::client::{IMAGE, TestRegistry, digest, image};
use deis_registry::Limits;
use http::Method;
use std::{net::TcpListener, time::Duration};

/// A registry whose store's server nobody has started.
async fn start() -> (TestRegistry, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{nobody}");
    let store = deis_store::open(&format!("s3://test:test-only@deis?endpoint={endpoint}")).await.unwrap();
    (TestRegistry::start_with(store, Limits::default()).await, endpoint)
}

#[tokio::test]
async fn every_request_is_told_that_the_store_is_away_and_may_come_again() {
    let (registry, endpoint) = start().await;
    let client = registry.client();
    let begin = client.call(Method::POST, "/v2/a/blobs/uploads/", &[], "").await;
    let put = client.put_manifest("a", "v1", IMAGE, &image("layer")).await;
    let pull = client.get("/v2/a/manifests/v1").await;
    let blob = client.get(&format!("/v2/a/blobs/{}", digest("layer"))).await;
    for answer in [begin, put, pull, blob, client.get("/v2/_catalog").await] {
        let answer = answer.refuse(503, "UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), "5");
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(&endpoint) && !message.contains("test-only"), "{message}");
    }
    client.get("/v2/").await.expect(200);
}

#[tokio::test]
async fn operators_see_that_the_store_is_away() {
    let (registry, endpoint) = start().await;
    loop {
        let problems = registry.status.snapshot().problems;
        if let Some(problem) = problems.first() {
            assert!(problem.cause.contains(&endpoint), "{problem:?}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
