//! What only a store of files has: a disk that fills up, processes that crash, several openings of one directory.

#![cfg(test)]

use bytes::Bytes;
use deis_store::{FileStore, ObjectKey, ObjectStore, StoreError, open};
use futures::{StreamExt, stream};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn key(text: &str) -> ObjectKey {
    ObjectKey::parse(text).unwrap()
}

fn staged(directory: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(directory.join("staging")).unwrap();
    folders
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect()
}

/// A file system of 1 MiB, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing where file systems cannot be mounted.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(directory.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_leaves_nothing_behind() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    };
    let directory = disk.0.path().to_path_buf();
    let store = FileStore::open(directory.clone()).await.unwrap();
    store.put_bytes(&key("small"), Bytes::from("x")).await.unwrap();
    let pieces = (0..40).map(|_| Ok(Bytes::from(vec![1; 64 * 1024])));
    let error = store.put(&key("large"), stream::iter(pieces.clone()).boxed()).await.unwrap_err();
    let message = format!("failed to write large: no space left; free space in {}", directory.display());
    assert_eq!(error.to_string(), message);
    assert!(staged(&directory).is_empty());
    assert!(store.head(&key("large")).await.unwrap_err().is_not_found());

    store.begin_upload(&key("upload")).await.unwrap();
    let error = store.append_upload(&key("upload"), 0, stream::iter(pieces).boxed()).await.unwrap_err();
    assert!(matches!(error, StoreError::NoSpace { .. }), "{error:?}");
    store.cancel_upload(&key("upload")).await.unwrap();
    store.put_bytes(&key("after"), Bytes::from(vec![1; 500_000])).await.unwrap();
    assert_eq!(store.get_bytes(&key("small"), 1).await.unwrap(), "x");
}

#[tokio::test]
async fn what_a_crashed_process_left_is_swept_and_what_a_running_one_writes_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let crashed = directory.path().join("staging/crashed");
    fs::create_dir_all(&crashed).unwrap();
    fs::write(crashed.join("half"), "half").unwrap();
    let first = FileStore::open(directory.path().to_path_buf()).await.unwrap();
    assert!(!crashed.exists());

    let (sender, receiver) = futures::channel::oneshot::channel::<()>();
    let content = stream::iter([Ok(Bytes::from(vec![1; 300_000]))]).chain(stream::once(async {
        receiver.await.map_err(std::io::Error::other)?;
        Ok(Bytes::from("end"))
    }));
    let writing = tokio::spawn(async move { first.put(&key("a"), content.boxed()).await });
    while staged(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    let second = FileStore::open(directory.path().to_path_buf()).await.unwrap();
    sender.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(second.head(&key("a")).await.unwrap().size, 300_003);
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("file://{}", directory.path().display());
    let store = open(&url).await.unwrap();
    store.begin_upload(&key("u")).await.unwrap();
    store.append_upload(&key("u"), 0, deis_store::once("before ")).await.unwrap();
    drop(store);
    let store = open(&url).await.unwrap();
    store.append_upload(&key("u"), 7, deis_store::once("after")).await.unwrap();
    store.finish_upload(&key("u"), 12, &key("a")).await.unwrap();
    assert_eq!(store.get_bytes(&key("a"), 12).await.unwrap(), "before after");
}

#[tokio::test]
async fn a_dropped_put_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path().to_path_buf()).await.unwrap();
    let content = stream::iter([Ok(Bytes::from(vec![1; 300_000]))]).chain(stream::pending()).boxed();
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.put(&key("a"), content).await }
    });
    while staged(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    writing.abort();
    assert!(writing.await.unwrap_err().is_cancelled());
    while !staged(directory.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(store.head(&key("a")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_names_its_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let directory = file.path().join("below");
    let error = FileStore::open(directory.clone()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("failed to open the store in {}", directory.display()));
}

#[tokio::test]
async fn an_object_below_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path().to_path_buf()).await.unwrap();
    store.put_bytes(&key("a"), Bytes::from("x")).await.unwrap();
    let error = store.put_bytes(&key("a/b"), Bytes::from("x")).await.unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
}
