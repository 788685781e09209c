//! What every store must do, run against every adapter.

use bytes::Bytes;
use deis_store::{ByteStream, ObjectKey, ObjectList, ObjectStore, StoreError, once};
use futures::{StreamExt, TryStreamExt, stream};
use std::{io, sync::Arc, time::SystemTime};

/// Gives the names of all cases to a macro.
macro_rules! with_cases {
    ($run:ident) => {
        $run! {
            what_was_put_is_read_back
            a_put_replaces_what_was_there
            a_put_whose_content_fails_leaves_the_old_object
            a_large_object_streams_in_and_out
            a_key_may_have_every_allowed_character
            a_long_put_that_fails_leaves_nothing
            a_range_gives_just_its_bytes
            a_range_beyond_the_end_is_refused
            an_absent_object_is_not_found
            a_folder_is_no_object
            deleting_twice_succeeds
            a_deleted_object_may_be_put_again
            reading_in_memory_has_a_limit
            listing_is_sorted_by_bytes
            listing_takes_a_prefix_and_a_start
            listing_outside_of_the_store_is_refused
            listing_spans_many_pages
            an_upload_grows_and_becomes_an_object
            an_upload_is_no_object_and_finished_no_upload
            an_upload_is_added_to_at_its_end_only
            an_interrupted_upload_keeps_what_arrived
            an_upload_takes_one_writer_at_a_time
            an_upload_of_another_size_is_not_finished
            an_upload_of_many_requests_is_put_together
            a_long_upload_of_one_request_becomes_an_object
            a_cancelled_upload_is_gone
            beginning_again_empties_an_upload
            uploads_are_listed
            concurrent_puts_leave_one_of_them_whole
            a_put_succeeds_when_somebody_deletes_at_the_same_time
            concurrent_puts_and_deletes_in_one_folder_all_succeed
        }
    };
}
pub(crate) use with_cases;

/// An empty store, or an empty place in one.
pub(crate) type Store = Arc<dyn ObjectStore>;

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

async fn put(store: &Store, text: &str, bytes: &'static str) {
    store.put_bytes(&key(text), Bytes::from(bytes)).await.unwrap();
}

async fn read(store: &Store, text: &str) -> Bytes {
    store.get_bytes(&key(text), u64::MAX).await.unwrap()
}

async fn keys(list: ObjectList) -> Vec<String> {
    list.map_ok(|meta| meta.key.to_string()).try_collect().await.unwrap()
}

/// Bytes that end in a failure, as when a client hangs up.
fn cut(bytes: &'static str) -> ByteStream {
    stream::iter([Ok(Bytes::from(bytes)), Err(io::Error::other("cut"))]).boxed()
}

/// `pieces` of 64 KiB each, all different.
fn large(pieces: u32) -> impl Iterator<Item = Bytes> {
    (0..pieces).map(|number| Bytes::from(number.to_le_bytes().repeat(16 * 1024)))
}

pub(crate) async fn what_was_put_is_read_back(store: Store) {
    let meta = store.put(&key("a/b"), once("hello")).await.unwrap();
    assert_eq!((meta.key.as_str(), meta.size), ("a/b", 5));
    assert!(meta.modified <= SystemTime::now());
    assert_eq!(store.head(&key("a/b")).await.unwrap(), meta);
    let object = store.get(&key("a/b")).await.unwrap();
    assert_eq!(object.meta, meta);
    assert_eq!(read(&store, "a/b").await, "hello");
}

pub(crate) async fn a_put_replaces_what_was_there(store: Store) {
    put(&store, "a", "longer than the next").await;
    let before = store.get(&key("a")).await.unwrap();
    put(&store, "a", "short").await;
    assert_eq!(read(&store, "a").await, "short");
    let pieces: Vec<Bytes> = before.content.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"longer than the next");
}

pub(crate) async fn a_put_whose_content_fails_leaves_the_old_object(store: Store) {
    put(&store, "a", "old").await;
    let error = store.put(&key("a"), cut("new")).await.unwrap_err();
    assert!(matches!(error, StoreError::Content { .. }), "{error:?}");
    assert_eq!(read(&store, "a").await, "old");
}

pub(crate) async fn a_large_object_streams_in_and_out(store: Store) {
    let meta = store.put(&key("large"), stream::iter(large(300)).map(Ok).boxed()).await.unwrap();
    assert_eq!(meta.size, 300 * 64 * 1024);
    let expected: Vec<u8> = large(300).flatten().collect();
    assert_eq!(read(&store, "large").await, expected);
}

pub(crate) async fn a_key_may_have_every_allowed_character(store: Store) {
    let name = "registry/a-b_c.d/x:y@z+1=2~3/AZaz09";
    put(&store, name, "x").await;
    assert_eq!(read(&store, name).await, "x");
    assert_eq!(keys(store.list("registry/a-b_c.d/x:y@z+1=2~3/", None)).await, [name]);
    store.delete(&key(name)).await.unwrap();
    assert!(keys(store.list("", None)).await.is_empty());
}

pub(crate) async fn a_long_put_that_fails_leaves_nothing(store: Store) {
    let content = stream::iter(large(200)).map(Ok).chain(cut("and then"));
    let error = store.put(&key("a"), content.boxed()).await.unwrap_err();
    assert!(matches!(error, StoreError::Content { .. }), "{error:?}");
    assert!(store.head(&key("a")).await.unwrap_err().is_not_found());
}

pub(crate) async fn a_range_gives_just_its_bytes(store: Store) {
    put(&store, "a", "0123456789").await;
    for (range, expected) in [(0..10, "0123456789"), (2..5, "234"), (9..10, "9"), (4..4, ""), (10..10, "")] {
        let object = store.get_range(&key("a"), range).await.unwrap();
        assert_eq!(object.meta.size, 10);
        let pieces: Vec<Bytes> = object.content.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), expected.as_bytes());
    }
}

pub(crate) async fn a_range_beyond_the_end_is_refused(store: Store) {
    put(&store, "a", "0123456789").await;
    for range in [0..11, 11..12, std::ops::Range { start: 5, end: 4 }] {
        let error = store.get_range(&key("a"), range).await.err().unwrap();
        assert!(matches!(error, StoreError::Range { size: 10, .. }), "{error:?}");
    }
}

pub(crate) async fn an_absent_object_is_not_found(store: Store) {
    put(&store, "a", "").await;
    for absent in ["b", "a/b", "b/c"] {
        let absent = key(absent);
        assert!(store.get(&absent).await.err().unwrap().is_not_found());
        assert!(store.get_range(&absent, 0..1).await.err().unwrap().is_not_found());
        assert!(store.head(&absent).await.unwrap_err().is_not_found());
        assert!(store.head_upload(&absent).await.unwrap_err().is_not_found());
        assert!(store.get_upload(&absent).await.err().unwrap().is_not_found());
        assert!(store.append_upload(&absent, 0, once("x")).await.unwrap_err().is_not_found());
        assert!(store.finish_upload(&absent, 0, &key("c")).await.unwrap_err().is_not_found());
    }
}

pub(crate) async fn a_folder_is_no_object(store: Store) {
    put(&store, "a/b", "").await;
    assert!(store.get(&key("a")).await.err().unwrap().is_not_found());
    assert!(store.head(&key("a")).await.unwrap_err().is_not_found());
    store.delete(&key("a")).await.unwrap();
    assert_eq!(keys(store.list("", None)).await, ["a/b"]);
}

pub(crate) async fn deleting_twice_succeeds(store: Store) {
    put(&store, "a/b/c", "x").await;
    put(&store, "a/d", "x").await;
    store.delete(&key("a/b/c")).await.unwrap();
    store.delete(&key("a/b/c")).await.unwrap();
    store.delete(&key("never/was")).await.unwrap();
    assert_eq!(keys(store.list("", None)).await, ["a/d"]);
}

pub(crate) async fn a_deleted_object_may_be_put_again(store: Store) {
    put(&store, "a/b/c", "x").await;
    store.delete(&key("a/b/c")).await.unwrap();
    // Where a folder was there may be an object now: an empty folder is nothing.
    put(&store, "a/b", "y").await;
    assert_eq!(read(&store, "a/b").await, "y");
}

pub(crate) async fn reading_in_memory_has_a_limit(store: Store) {
    put(&store, "a", "12345").await;
    assert_eq!(store.get_bytes(&key("a"), 5).await.unwrap(), "12345");
    let error = store.get_bytes(&key("a"), 4).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 4, .. }), "{error:?}");
}

pub(crate) async fn listing_is_sorted_by_bytes(store: Store) {
    let sorted = ["a-b/x", "a.b", "a/b/c", "a/c", "a0", "aa/b", "b"];
    for name in sorted.iter().rev() {
        put(&store, name, "x").await;
    }
    assert_eq!(keys(store.list("", None)).await, sorted);
}

pub(crate) async fn listing_takes_a_prefix_and_a_start(store: Store) {
    for name in ["a/b/1", "a/b/2", "a/b/3", "a/bc", "a/c", "b"] {
        put(&store, name, "x").await;
    }
    let list = async |prefix, after: Option<&str>| keys(store.list(prefix, after.map(key).as_ref())).await;
    assert_eq!(list("a/b/", None).await, ["a/b/1", "a/b/2", "a/b/3"]);
    assert_eq!(list("a/b", None).await, ["a/b/1", "a/b/2", "a/b/3", "a/bc"]);
    assert_eq!(list("a/b/2", None).await, ["a/b/2"]);
    assert_eq!(list("a/b/", Some("a/b/2")).await, ["a/b/3"]);
    assert_eq!(list("a/", Some("a/b/25")).await, ["a/b/3", "a/bc", "a/c"]);
    assert_eq!(list("", Some("a/bd")).await, ["a/c", "b"]);
    assert!(list("x/", None).await.is_empty());
    assert!(list("b/", None).await.is_empty());
    assert!(list("", Some("c")).await.is_empty());
}

pub(crate) async fn listing_outside_of_the_store_is_refused(store: Store) {
    for prefix in ["../", "/", "/etc/", "a/../../b/"] {
        let first = store.list(prefix, None).next().await.unwrap();
        assert!(matches!(first, Err(StoreError::Key { .. })), "{prefix:?}");
    }
}

pub(crate) async fn listing_spans_many_pages(store: Store) {
    let names: Vec<String> = (0..1100).map(|number| format!("n/{number:04}")).collect();
    let puts = names.iter().map(|name| {
        let store = store.clone();
        async move { store.put_bytes(&key(name), Bytes::new()).await.unwrap() }
    });
    stream::iter(puts).buffer_unordered(16).for_each(|_| async {}).await;
    assert_eq!(keys(store.list("n/", None)).await, names);
}

pub(crate) async fn an_upload_grows_and_becomes_an_object(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    assert_eq!(store.append_upload(&upload, 0, once("hello ")).await.unwrap(), 6);
    assert_eq!(store.append_upload(&upload, 6, stream::empty().boxed()).await.unwrap(), 6);
    assert_eq!(store.append_upload(&upload, 6, once("world")).await.unwrap(), 11);
    assert_eq!(store.head_upload(&upload).await.unwrap().size, 11);
    let pieces: Vec<Bytes> = store.get_upload(&upload).await.unwrap().content.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"hello world");
    store.finish_upload(&upload, 11, &key("a/b")).await.unwrap();
    assert_eq!(store.head(&key("a/b")).await.unwrap().size, 11);
    assert_eq!(read(&store, "a/b").await, "hello world");
}

pub(crate) async fn an_upload_is_no_object_and_finished_no_upload(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    assert!(store.head(&upload).await.unwrap_err().is_not_found());
    assert!(keys(store.list("", None)).await.is_empty());
    store.finish_upload(&upload, 0, &key("a")).await.unwrap();
    assert!(store.head_upload(&upload).await.unwrap_err().is_not_found());
    assert!(store.append_upload(&upload, 0, once("x")).await.unwrap_err().is_not_found());
    assert_eq!(read(&store, "a").await, "");
}

pub(crate) async fn an_upload_is_added_to_at_its_end_only(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    store.append_upload(&upload, 0, once("1234")).await.unwrap();
    for offset in [0, 3, 5] {
        let error = store.append_upload(&upload, offset, once("x")).await.unwrap_err();
        assert!(matches!(error, StoreError::UploadLength { held: 4, .. }), "{error:?}");
    }
}

pub(crate) async fn an_interrupted_upload_keeps_what_arrived(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    let error = store.append_upload(&upload, 0, cut("1234")).await.unwrap_err();
    assert!(matches!(error, StoreError::Content { .. }), "{error:?}");
    assert_eq!(store.append_upload(&upload, 4, once("56")).await.unwrap(), 6);
}

pub(crate) async fn an_upload_takes_one_writer_at_a_time(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    let (started, wait) = tokio::sync::oneshot::channel::<()>();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let content = stream::once(async move {
        started.send(()).unwrap();
        released.await.map_err(io::Error::other)?;
        Ok(Bytes::from("1234"))
    });
    let first = tokio::spawn({
        let (store, upload) = (store.clone(), upload.clone());
        async move { store.append_upload(&upload, 0, content.boxed()).await }
    });
    wait.await.unwrap();
    let second = store.append_upload(&upload, 0, once("x")).await.unwrap_err();
    assert!(matches!(second, StoreError::UploadBusy { .. }), "{second:?}");
    let finish = store.finish_upload(&upload, 0, &key("a")).await.unwrap_err();
    assert!(matches!(finish, StoreError::UploadBusy { .. }), "{finish:?}");
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap(), 4);
    store.finish_upload(&upload, 4, &key("a")).await.unwrap();
}

pub(crate) async fn an_upload_of_another_size_is_not_finished(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    store.append_upload(&upload, 0, once("1234")).await.unwrap();
    let error = store.finish_upload(&upload, 3, &key("a")).await.unwrap_err();
    assert!(matches!(error, StoreError::UploadLength { held: 4, expected: 3, .. }), "{error:?}");
    assert!(store.head(&key("a")).await.unwrap_err().is_not_found());
}

pub(crate) async fn an_upload_of_many_requests_is_put_together(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    let content: Vec<Bytes> = large(330).collect();
    let mut size = 0;
    for pieces in [1, 40, 1, 200, 88] {
        let from = (size / (64 << 10)) as usize;
        let pieces = content[from..from + pieces].to_vec();
        size = store.append_upload(&upload, size, stream::iter(pieces).map(Ok).boxed()).await.unwrap();
    }
    store.finish_upload(&upload, size, &key("a")).await.unwrap();
    assert_eq!(read(&store, "a").await, content.concat());
    assert!(keys(store.list_uploads("")).await.is_empty());
}

pub(crate) async fn a_long_upload_of_one_request_becomes_an_object(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    let size = store.append_upload(&upload, 0, stream::iter(large(200)).map(Ok).boxed()).await.unwrap();
    assert_eq!(size, 200 * (64 << 10));
    store.finish_upload(&upload, size, &key("a")).await.unwrap();
    assert_eq!(read(&store, "a").await, large(200).flatten().collect::<Vec<u8>>());
}

pub(crate) async fn a_cancelled_upload_is_gone(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    store.cancel_upload(&upload).await.unwrap();
    store.cancel_upload(&upload).await.unwrap();
    assert!(store.head_upload(&upload).await.unwrap_err().is_not_found());
}

pub(crate) async fn beginning_again_empties_an_upload(store: Store) {
    let upload = key("u/1");
    store.begin_upload(&upload).await.unwrap();
    store.append_upload(&upload, 0, once("1234")).await.unwrap();
    store.begin_upload(&upload).await.unwrap();
    assert_eq!(store.head_upload(&upload).await.unwrap().size, 0);
}

pub(crate) async fn uploads_are_listed(store: Store) {
    for name in ["u/2", "u/1", "v"] {
        store.begin_upload(&key(name)).await.unwrap();
    }
    assert_eq!(keys(store.list_uploads("u/")).await, ["u/1", "u/2"]);
}

pub(crate) async fn concurrent_puts_leave_one_of_them_whole(store: Store) {
    let puts = (0..8u8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move { store.put_bytes(&key("a"), vec![number; 100_000].into()).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    let bytes = read(&store, "a").await;
    assert_eq!(bytes.len(), 100_000);
    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
}

pub(crate) async fn a_put_succeeds_when_somebody_deletes_at_the_same_time(store: Store) {
    let deleting = tokio::spawn({
        let store = store.clone();
        async move {
            loop {
                store.delete(&key("folder/a")).await.unwrap();
            }
        }
    });
    for _ in 0..50 {
        assert_eq!(store.put(&key("folder/a"), once("x")).await.unwrap().size, 1);
    }
    deleting.abort();
}

pub(crate) async fn concurrent_puts_and_deletes_in_one_folder_all_succeed(store: Store) {
    let rounds = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let own = key(&format!("deep/folder/{number}"));
            for _ in 0..20 {
                store.put_bytes(&own, Bytes::from("x")).await?;
                store.delete(&own).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        round.await.unwrap().unwrap();
    }
    assert!(keys(store.list("", None)).await.is_empty());
}
