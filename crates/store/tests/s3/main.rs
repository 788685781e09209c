//! The store on an S3 server: what every store must do, and what only this one has.

#![cfg(test)]

#[path = "../conformance/cases.rs"]
mod cases;
mod moto;

use bytes::Bytes;
use cases::{Store, with_cases};
use deis_store::{ObjectKey, StoreError, once, open};
use futures::{StreamExt, TryStreamExt, stream};
use moto::Moto;
use std::time::Duration;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

/// Runs every case in a place of its own: one server for all of them.
macro_rules! every_case {
    ($($case:ident)*) => {
        async fn run_every_case(moto: &Moto) {
            $(
                eprintln!("{}", stringify!($case));
                cases::$case(open(&moto.url(stringify!($case))).await.unwrap()).await;
            )*
        }
    };
}

with_cases!(every_case);

#[tokio::test]
async fn it_does_what_every_store_must_do() {
    let Some(moto) = Moto::start().await else { return };
    run_every_case(&moto).await;
}

/// Everything in the bucket.
async fn everything(moto: &Moto) -> String {
    let listed = reqwest::get(format!("{}/deis?list-type=2", moto.endpoint())).await.unwrap();
    listed.text().await.unwrap()
}

/// Bytes for more than one part, and then what `after` has.
fn long(
    after: impl futures::Stream<Item = std::io::Result<Bytes>> + Send + 'static,
) -> deis_store::ByteStream {
    stream::iter((0..20).map(|_| Ok(Bytes::from(vec![1; 1 << 20])))).chain(after).boxed()
}

#[tokio::test]
async fn an_upload_goes_on_at_another_process() {
    let Some(moto) = Moto::start().await else { return };
    let [first, second] = [open(&moto.url("x")).await.unwrap(), open(&moto.url("x")).await.unwrap()];
    first.begin_upload(&key("u/1")).await.unwrap();
    first.append_upload(&key("u/1"), 0, once("before ")).await.unwrap();
    drop(first);
    assert_eq!(second.head_upload(&key("u/1")).await.unwrap().size, 7);
    second.append_upload(&key("u/1"), 7, once("after")).await.unwrap();
    second.finish_upload(&key("u/1"), 12, &key("a")).await.unwrap();
    assert_eq!(second.get_bytes(&key("a"), 12).await.unwrap(), "before after");
}

#[tokio::test]
async fn nothing_is_made_of_what_two_processes_wrote_at_once() {
    let Some(moto) = Moto::start().await else { return };
    let [first, second] = [open(&moto.url("x")).await.unwrap(), open(&moto.url("x")).await.unwrap()];
    first.begin_upload(&key("u/1")).await.unwrap();
    let (release, released) = futures::channel::oneshot::channel::<()>();
    let slow = once("first").chain(stream::once(async {
        released.await.map_err(std::io::Error::other)?;
        Ok(Bytes::new())
    }));
    let writing: tokio::task::JoinHandle<Result<u64, StoreError>> =
        tokio::spawn(async move { first.append_upload(&key("u/1"), 0, slow.boxed()).await });
    second.append_upload(&key("u/1"), 0, once("second")).await.unwrap();
    release.send(()).unwrap();
    writing.await.unwrap().unwrap();
    let error = second.finish_upload(&key("u/1"), 6, &key("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::UploadBusy { .. }), "{error:?}");
    second.cancel_upload(&key("u/1")).await.unwrap();
    assert!(second.list_uploads("").next().await.is_none());
}

#[tokio::test]
async fn a_put_that_is_dropped_leaves_no_parts() {
    let Some(moto) = Moto::start().await else { return };
    let store = open(&moto.url("x")).await.unwrap();
    let put = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("a"), long(stream::pending())).await }
    });
    while !everything(&moto).await.contains("<Key>x/parts/") {
        assert!(!put.is_finished());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    put.abort();
    assert!(put.await.unwrap_err().is_cancelled());
    while everything(&moto).await.contains("<Key>") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_dead_process_was_sending_is_swept() {
    let Some(moto) = Moto::start().await else { return };
    let begin = format!("{}/deis/x/objects/a?uploads", moto.endpoint());
    let begun = reqwest::Client::new().post(begin).send().await.unwrap().text().await.unwrap();
    let id = begun.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap();
    let note = reqwest::Client::new().put(format!("{}/deis/x/parts/note", moto.endpoint()));
    note.body(format!("x/objects/a\n{id}\n")).send().await.unwrap().error_for_status().unwrap();
    let uploads = async || {
        let listed = reqwest::get(format!("{}/deis?uploads", moto.endpoint())).await.unwrap();
        listed.text().await.unwrap()
    };
    assert!(uploads().await.contains(id));
    let store = deis_store::S3Store::open(&moto.url("x")).await.unwrap();
    assert_eq!(store.sweep(Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.sweep(Duration::ZERO).await.unwrap(), 1);
    assert!(!uploads().await.contains(id));
    assert!(!everything(&moto).await.contains("<Key>"));
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let Some(moto) = Moto::start().await else { return };
    let url = moto.url("x").replace("@deis", "@other");
    let error = open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Bucket { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("bucket other at {}", moto.endpoint())), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_told_and_comes_back_by_itself() {
    let Some(moto) = Moto::start().await else { return };
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap();
    drop(proxy);
    let url = moto.url("x").replace(moto.endpoint(), &format!("http://{address}"));
    let store: Store = open(&url).await.unwrap();
    let error = store.put_bytes(&key("a"), Bytes::from("x")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert!(store.head(&key("a")).await.unwrap_err().is_unavailable());
    assert!(store.list("", None).try_next().await.unwrap_err().is_unavailable());
    assert!(store.head_upload(&key("u")).await.unwrap_err().is_unavailable());
    let proxy = tokio::net::TcpListener::bind(address).await.unwrap();
    let server = moto.endpoint().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = proxy.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    store.put_bytes(&key("a"), Bytes::from("x")).await.unwrap();
    assert_eq!(store.get_bytes(&key("a"), 1).await.unwrap(), "x");
}
