//! The stores that need nothing but this machine.

#![cfg(test)]

mod cases;

use cases::with_cases;
use deis_store::{ObjectStore, open};
use std::sync::Arc;

/// A store, and what must outlive it.
struct Fixture {
    store: Arc<dyn ObjectStore>,
    _directory: Option<tempfile::TempDir>,
}

async fn memory() -> Fixture {
    Fixture { store: open("memory://").await.unwrap(), _directory: None }
}

async fn file() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&format!("file://{}", directory.path().display())).await.unwrap();
    Fixture { store, _directory: Some(directory) }
}

/// Makes one test of each case for each adapter.
macro_rules! conformance {
    ($($case:ident)*) => {
        mod with_memory {
            $(#[tokio::test] async fn $case() { super::cases::$case(super::memory().await.store).await; })*
        }
        mod with_files {
            $(#[tokio::test] async fn $case() {
                let fixture = super::file().await;
                super::cases::$case(fixture.store.clone()).await;
            })*
        }
    };
}

with_cases!(conformance);
