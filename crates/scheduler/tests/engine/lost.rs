//! An engine that goes away and comes back.

use std::time::Duration;

use deis_scheduler::{Change, Options, SchedulerError};
use futures::StreamExt;

use crate::fixture::Fixture;

/// How often the engine goes away until the watch has to have noticed.
const OUTAGES: usize = 10;

/// Stands between a socket of its own and the engine's until it is dropped.
struct Between {
    task: tokio::task::JoinHandle<()>,
}

impl Between {
    fn listen(path: &std::path::Path) -> Self {
        let _ = std::fs::remove_file(path);
        let listener = tokio::net::UnixListener::bind(path).expect("bind");
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far =
                        tokio::net::UnixStream::connect("/var/run/docker.sock").await.expect("engine");
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { task }
    }
}

impl Drop for Between {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn an_engine_that_goes_away_is_waited_for() {
    if Fixture::docker().await.is_none() {
        return;
    }
    let path = std::env::temp_dir().join(format!("{}.sock", crate::fixture::unique("engine")));
    let mut between = Between::listen(&path);
    let url = format!("docker://{}", path.display());
    let options =
        Options { platform: "away".to_owned(), network: "deis-test".to_owned(), ..Options::default() };
    let engine = deis_scheduler::open(&url, options).await.expect("open");
    let mut changes = engine.scheduler.watch();
    // An engine that is back before the watch had connected was never away for it.
    let mut told = None;
    for _ in 0..OUTAGES {
        drop(between);
        let away = loop {
            match engine.scheduler.observe(None).await {
                Err(error) => break error,
                Ok(_) => tokio::task::yield_now().await,
            }
        };
        assert!(matches!(away, SchedulerError::Away { .. }), "{away}");
        between = Between::listen(&path);
        told = tokio::time::timeout(Duration::from_secs(5), changes.next()).await.ok().flatten();
        if told.is_some() {
            break;
        }
    }
    assert_eq!(told, Some(Change::All));
    assert!(engine.scheduler.observe(None).await.expect("back").is_empty());
    drop(between);
    std::fs::remove_file(&path).expect("remove");
}
