//! Uploads: whole, in chunks, interrupted, resumed, wrong.

use crate::client::{TestRegistry, digest, request};
use axum::body::Body;
use bytes::Bytes;
use deis_registry::Limits;
use futures::{StreamExt, stream};
use http::Method;
use std::{io, process::Command, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream};

#[tokio::test]
async fn a_blob_arrives_in_one_piece_after_an_empty_beginning() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    let path = format!("{upload}?digest={}", digest("hello"));
    let done = client.call(Method::PUT, &path, &[], "hello").await.expect(201);
    assert_eq!(done.header("location"), format!("/v2/a/blobs/{}", digest("hello")));
    assert_eq!(client.get(done.header("location")).await.body, "hello");
    client.get(&upload).await.refuse(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_blob_arrives_with_the_beginning() {
    let registry = TestRegistry::start().await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest("hello"));
    let done = registry.client().call(Method::POST, &path, &[], "hello").await.expect(201);
    assert_eq!(registry.client().get(done.header("location")).await.body, "hello");
}

#[tokio::test]
async fn a_blob_arrives_in_chunks() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    let first = client.call(Method::PATCH, &upload, &[("content-range", "0-5")], "hello ").await.expect(202);
    assert_eq!((first.header("range"), first.header("location")), ("0-5", &*upload));
    let status = client.get(&upload).await.expect(204);
    assert_eq!(status.header("range"), "0-5");
    client.call(Method::PATCH, &upload, &[], "wor").await.expect(202);
    let path = format!("{upload}?digest={}", digest("hello world"));
    client.call(Method::PUT, &path, &[("content-range", "9-10")], "ld").await.expect(201);
    assert_eq!(client.get(&format!("/v2/a/blobs/{}", digest("hello world"))).await.body, "hello world");
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_with_the_place_to_go_on() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    client.call(Method::PATCH, &upload, &[("content-range", "0-4")], "hello").await.expect(202);
    for range in ["0-4", "4-8", "6-10"] {
        let refused = client.call(Method::PATCH, &upload, &[("content-range", range)], "world").await;
        let refused = refused.refuse(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((refused.header("range"), refused.header("location")), ("0-4", &*upload));
    }
    for range in ["5-6", "9-5", "x"] {
        let refused = client.call(Method::PATCH, &upload, &[("content-range", range)], "world").await;
        refused.refuse(400, "BLOB_UPLOAD_INVALID");
    }
    client.call(Method::PATCH, &upload, &[("content-range", "5-9")], "world").await.expect(202);
}

#[tokio::test]
async fn content_of_another_digest_is_refused_and_forgotten() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    client.call(Method::PATCH, &upload, &[], "evil").await.expect(202);
    let path = format!("{upload}?digest={}", digest("good"));
    client.call(Method::PUT, &path, &[], "").await.refuse(400, "DIGEST_INVALID");
    client.get(&upload).await.refuse(404, "BLOB_UPLOAD_UNKNOWN");
    client.get(&format!("/v2/a/blobs/{}", digest("good"))).await.expect(404);
    let whole = format!("/v2/a/blobs/uploads/?digest={}", digest("good"));
    client.call(Method::POST, &whole, &[], "evil").await.refuse(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn an_upload_ends_with_a_digest() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    for query in ["", "?digest=", "?digest=sha256:0", "?digest=sha512:00"] {
        client.call(Method::PUT, &format!("{upload}{query}"), &[], "").await.refuse(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let elsewhere = client.begin("a").await.replace("/a/", "/b/");
    client.call(Method::PATCH, &elsewhere, &[], "x").await.refuse(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_cancelled_upload_is_gone() {
    let registry = TestRegistry::start().await;
    let client = registry.client();
    let upload = client.begin("a").await;
    client.delete(&upload).await.expect(204);
    client.delete(&upload).await.refuse(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_is_resumed_by_another_process_and_verified_whole() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}", directory.path().display());
    let first = TestRegistry::start_with(deis_store::open(&url).await.unwrap(), Limits::default()).await;
    let (good, evil) = (first.client().begin("a").await, first.client().begin("a").await);
    first.client().call(Method::PATCH, &good, &[], "hello ").await.expect(202);
    first.client().call(Method::PATCH, &evil, &[], "jello ").await.expect(202);
    drop(first);
    let second = TestRegistry::start_with(deis_store::open(&url).await.unwrap(), Limits::default()).await;
    let finish = |upload| format!("{upload}?digest={}", digest("hello world"));
    let client = second.client();
    client.call(Method::PATCH, &evil, &[], "world").await.expect(202);
    client.call(Method::PUT, &finish(evil), &[], "").await.refuse(400, "DIGEST_INVALID");
    client.call(Method::PUT, &finish(good), &[], "world").await.expect(201);
    assert_eq!(client.get(&format!("/v2/a/blobs/{}", digest("hello world"))).await.body, "hello world");
}

#[tokio::test]
async fn an_upload_goes_on_after_its_client_hung_up() {
    let directory = tempfile::tempdir().unwrap();
    let store = deis_store::open(&format!("file://{}", directory.path().display())).await.unwrap();
    let registry = TestRegistry::start_with(store, Limits::default()).await;
    let client = registry.client();
    let upload = client.begin("a").await;
    let headers = request(Method::PATCH, &upload, &[], "").headers().clone();
    let credentials = headers[http::header::AUTHORIZATION].to_str().unwrap();
    let cut = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: x\r\nauthorization: {credentials}\r\ncontent-range: 0-10\r\n\
         content-length: 11\r\n\r\nhello "
    );
    let held = loop {
        match client.call(Method::PATCH, &upload, &[], "").await {
            answer if answer.status == 202 && answer.header("range") != "0-0" => {
                break answer.header("range").to_owned();
            }
            // A server may drop a request whose client is gone before it read what had come.
            answer if answer.status == 202 => {
                let mut connection = TcpStream::connect(registry.address).await.unwrap();
                connection.write_all(cut.as_bytes()).await.unwrap();
            }
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(held, "0-5");
    let path = format!("{upload}?digest={}", digest("hello world"));
    client.call(Method::PUT, &path, &[("content-range", "6-10")], "world").await.expect(201);
}

#[tokio::test]
async fn a_blob_has_a_largest_size() {
    let limits = Limits { blob_bytes: 10, ..Limits::default() };
    let registry = TestRegistry::start_with(deis_store::open("memory://").await.unwrap(), limits).await;
    let client = registry.client();
    client.push_blob("a", "0123456789").await;
    let path = format!("/v2/a/blobs/uploads/?digest={}", digest("0123456789x"));
    client.call(Method::POST, &path, &[], "0123456789x").await.refuse(413, "SIZE_INVALID");
    let upload = client.begin("a").await;
    client.call(Method::PATCH, &upload, &[], "012345").await.expect(202);
    client.call(Method::PATCH, &upload, &[], "678901").await.refuse(413, "SIZE_INVALID");
}

#[tokio::test]
async fn a_silent_client_is_given_up() {
    let limits = Limits { idle: Duration::from_millis(20), ..Limits::default() };
    let registry = TestRegistry::start_with(deis_store::open("memory://").await.unwrap(), limits).await;
    let client = registry.client();
    let upload = client.begin("a").await;
    let silent = Body::from_stream(stream::pending::<io::Result<Bytes>>());
    client.send(request(Method::PATCH, &upload, &[], silent)).await.refuse(400, "BLOB_UPLOAD_INVALID");
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_expire() {
    let store = deis_store::open("memory://").await.unwrap();
    let first = TestRegistry::start_with(store.clone(), Limits::default()).await;
    first.client().begin("a").await;
    let limits = Limits { upload_expiry: Duration::ZERO, ..Limits::default() };
    let _second = TestRegistry::start_with(store.clone(), limits).await;
    while store.list_uploads("").next().await.is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_store_is_named_to_client_and_operator_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path()).status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    }
    let store = deis_store::open(&format!("file://{}", directory.path().display())).await.unwrap();
    let registry = TestRegistry::start_with(store, Limits::default()).await;
    let client = registry.client();
    let upload = client.begin("a").await;
    let large = "x".repeat(2 << 20);
    let refused = client.call(Method::PATCH, &upload, &[], large).await.refuse(507, "STORAGE_FULL");
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().contains("no space left"));
    let problems = registry.status.snapshot().problems;
    assert!(problems[0].cause.contains(directory.path().to_str().unwrap()), "{problems:?}");
    client.push_blob("a", &"y".repeat(500_000)).await;
    assert!(registry.status.snapshot().problems.is_empty());
    drop(registry);
    Command::new("umount").arg("--lazy").arg(directory.path()).status().unwrap();
}
