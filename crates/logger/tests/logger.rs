//! A logger over HTTP, as logspout and the controller use it.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use deis_api::client::InternalClient;
use deis_api::internal::{LogBatch, LogRecord};
use deis_logger::{Config, Logger};
use deis_runtime::{Role, Shutdown, StatusBoard};
use reqwest::{Method, StatusCode};
use tokio::task::JoinHandle;

const KEY: &str = "a key";
const SECOND: i64 = 1_000_000_000;
/// So that what three rounds store can be asked for at once.
const LINES_A_ROUND: i64 = 30_000;

struct Running {
    client: InternalClient,
    address: SocketAddr,
    shutdown: Shutdown,
    served: JoinHandle<anyhow::Result<()>>,
    status: StatusBoard,
}

async fn start(directory: &Path) -> Running {
    start_with(directory, |_| {}).await
}

async fn start_with(directory: &Path, change: impl FnOnce(&mut Config)) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = Config::new(directory.to_owned(), KEY);
    config.listen.set_port(0);
    change(&mut config);
    let status = StatusBoard::new(Role::Logger);
    let logger = Logger::bind(config, status.clone()).await.expect("port 0 and a new directory serve");
    let (address, shutdown) = (logger.local_addr(), Shutdown::new());
    let served = tokio::spawn(logger.run(shutdown.clone()));
    let client = InternalClient::new(&format!("http://{address}"), KEY);
    Running { client, address, shutdown, served, status }
}

impl Running {
    async fn ship(&self, records: Vec<LogRecord>) {
        self.client.ship_logs(&LogBatch { records }).await.expect("the records are stored");
    }

    async fn read(&self, path: &str) -> (StatusCode, String) {
        let response =
            self.client.send(self.client.request(Method::GET, path)).await.expect("the log is readable");
        (response.status(), response.text().await.expect("logs are text"))
    }

    async fn texts(&self, path: &str) -> Vec<String> {
        let (_, body) = self.read(path).await;
        body.lines().map(|line| line.split_once(": ").expect("lines have a source").1.to_owned()).collect()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.expect("no panic").expect("a clean end");
    }
}

fn record(app: &str, timestamp: i64, text: &str) -> LogRecord {
    LogRecord { app: app.into(), source: "web.1".into(), timestamp, text: text.into() }
}

fn numbered(app: &str, numbers: std::ops::Range<i64>) -> Vec<LogRecord> {
    numbers.map(|number| record(app, number * SECOND, &format!("line {number}"))).collect()
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .expect("the directory exists")
        .map(|entry| entry.expect("entries are readable").path())
        .collect();
    paths.sort();
    paths
}

#[tokio::test]
async fn lines_read_back_oldest_first_in_the_original_format() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..3)).await;
    let expected = "1970-01-01T00:00:01UTC blog[web.1]: line 1\n1970-01-01T00:00:02UTC blog[web.1]: line 2\n";
    assert_eq!(logger.read("/blog?log_lines=2").await, (StatusCode::OK, expected.to_owned()));
    assert_eq!(logger.read("/blog/?log_lines=2").await.1, expected);
    logger.stop().await;
}

#[tokio::test]
async fn a_missing_or_invalid_number_of_lines_means_100() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..250)).await;
    for path in ["/blog", "/blog?log_lines=x", "/blog?log_lines=0", "/blog?log_lines=-4"] {
        assert_eq!(logger.texts(path).await.len(), 100, "{path}");
    }
    assert_eq!(logger.texts("/blog?log_lines=1000").await.len(), 250);
    logger.stop().await;
}

#[tokio::test]
async fn an_app_without_lines_has_no_content() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    assert_eq!(logger.read("/blog").await, (StatusCode::NO_CONTENT, String::new()));
    logger.stop().await;
}

#[tokio::test]
async fn callers_without_the_key_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    let stranger = InternalClient::new(&format!("http://{}", logger.address), "another key");
    let refused = stranger.ship_logs(&LogBatch { records: numbered("blog", 0..1) }).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::UNAUTHORIZED));
    for method in [Method::GET, Method::DELETE] {
        let refused = stranger.send(stranger.request(method, "/blog")).await.unwrap_err();
        assert_eq!(refused.status(), Some(StatusCode::UNAUTHORIZED));
    }
    logger.stop().await;
}

#[tokio::test]
async fn records_of_no_app_are_left_out_and_the_rest_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(vec![record("../../etc", SECOND, "bad"), record("blog", SECOND, "good")]).await;
    assert_eq!(logger.texts("/blog").await, ["good"]);
    assert_eq!(segments(directory.path()).len(), 1);
    logger.stop().await;
}

#[tokio::test]
async fn logs_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..5)).await;
    logger.stop().await;
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 5..6)).await;
    assert_eq!(logger.texts("/blog?log_lines=3").await, ["line 3", "line 4", "line 5"]);
    logger.stop().await;
}

#[tokio::test]
async fn a_half_written_end_is_cut_and_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..3)).await;
    logger.stop().await;
    let path = segments(&directory.path().join("blog")).remove(0);
    let whole = std::fs::read(&path).unwrap();
    for torn in [&whole[..7], &whole[..whole.len() / 3 - 1], &[0; 500], &[255; 20]] {
        std::fs::write(&path, &whole).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(torn).unwrap();
        let logger = start(directory.path()).await;
        assert_eq!(logger.texts("/blog").await, ["line 0", "line 1", "line 2"]);
        logger.ship(numbered("blog", 3..4)).await;
        assert_eq!(logger.texts("/blog").await.len(), 4);
        logger.stop().await;
    }
}

#[tokio::test]
async fn what_is_sent_again_is_stored_once() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..5)).await;
    logger.ship(numbered("blog", 3..7)).await;
    logger.stop().await;
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 5..8)).await;
    let expected: Vec<_> = (0..8).map(|number| format!("line {number}")).collect();
    assert_eq!(logger.texts("/blog").await, expected);
    logger.stop().await;
}

#[tokio::test]
async fn older_lines_and_equal_lines_of_one_batch_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(vec![record("blog", 5 * SECOND, "a"), record("blog", 5 * SECOND, "a")]).await;
    logger.ship(vec![record("blog", 2 * SECOND, "late"), record("blog", 5 * SECOND, "b")]).await;
    assert_eq!(logger.texts("/blog").await, ["a", "a", "late", "b"]);
    logger.stop().await;
}

#[tokio::test]
async fn the_oldest_segments_of_an_app_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let small = |config: &mut Config| {
        config.segment_bytes = 1000;
        config.retention_bytes_per_app = 5000;
    };
    let logger = start_with(directory.path(), small).await;
    for start in 0..100 {
        logger.ship(numbered("blog", start * 10..start * 10 + 10)).await;
    }
    let kept = logger.texts("/blog?log_lines=10000").await;
    assert!((50..200).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().unwrap(), "line 999");
    assert_eq!(kept.first().unwrap(), &format!("line {}", 1000 - kept.len()));
    logger.stop().await;
}

#[tokio::test]
async fn all_apps_together_keep_no_more_than_the_platform_may() {
    let directory = tempfile::tempdir().unwrap();
    let small = |config: &mut Config| {
        config.segment_bytes = 1000;
        config.retention_bytes = 10_000;
    };
    let logger = start_with(directory.path(), small).await;
    for round in 0..20 {
        for app in ["one", "two", "three"] {
            logger.ship(numbered(app, round * 30..round * 30 + 30)).await;
        }
    }
    for app in ["one", "two", "three"] {
        assert_eq!(logger.texts(&format!("/{app}?log_lines=1")).await, ["line 599"]);
    }
    // Room is made after the answer: only a logger that has ended is sure to be done with it.
    logger.stop().await;
    let bytes: u64 = ["one", "two", "three"]
        .iter()
        .flat_map(|app| segments(&directory.path().join(app)))
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(bytes < 14_000, "{bytes}");
}

#[tokio::test]
async fn a_follower_gets_the_end_and_then_every_new_line() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..3)).await;
    let request = logger.client.request(Method::GET, "/blog?log_lines=2&follow=true");
    let mut response = logger.client.send(request).await.unwrap();
    let mut seen = Vec::new();
    let mut sent = 3;
    while seen.iter().filter(|byte| **byte == b'\n').count() < 52 {
        if sent < 53 {
            logger.ship(numbered("blog", sent..sent + 10)).await;
            sent += 10;
        }
        seen.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    let numbers: Vec<_> = std::str::from_utf8(&seen).unwrap().lines().collect();
    assert!(numbers[0].ends_with("line 1") && numbers[51].ends_with("line 52"), "{numbers:?}");
    logger.stop().await;
    assert_eq!(response.chunk().await.unwrap(), None, "shutdown ends the stream");
}

#[tokio::test]
async fn a_follower_may_come_before_the_first_line() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    let request = logger.client.request(Method::GET, "/blog?follow=true");
    let mut response = logger.client.send(request).await.unwrap();
    logger.ship(numbered("blog", 7..8)).await;
    assert_eq!(response.chunk().await.unwrap().unwrap(), "1970-01-01T00:00:07UTC blog[web.1]: line 7\n");
    logger.stop().await;
}

#[tokio::test]
async fn a_follower_who_does_not_read_is_cut_off_with_a_note() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    let request = logger.client.request(Method::GET, "/blog?follow=true");
    let mut response = logger.client.send(request).await.unwrap();
    let text = "x".repeat(60_000);
    for round in 0..8 {
        let records = (0..100).map(|line| record("blog", round * SECOND + line, &text)).collect();
        logger.ship(records).await;
    }
    let mut last = bytes::Bytes::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        last = chunk;
    }
    assert!(String::from_utf8_lossy(&last).contains("blog[deis-logger]: this reader was too slow"));
    logger.stop().await;
}

#[tokio::test]
async fn a_removed_app_leaves_nothing_and_stragglers_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    logger.ship(numbered("blog", 0..3)).await;
    for _ in 0..2 {
        let request = logger.client.request(Method::DELETE, "/blog");
        assert_eq!(logger.client.send(request).await.unwrap().status(), StatusCode::OK);
    }
    logger.ship(numbered("blog", 3..4)).await;
    assert_eq!(logger.read("/blog").await.0, StatusCode::NO_CONTENT);
    assert!(segments(directory.path()).is_empty());
    let later = i64::MAX / 2;
    logger.ship(vec![record("blog", later, "a new app of that name")]).await;
    assert_eq!(logger.texts("/blog").await, ["a new app of that name"]);
    logger.stop().await;
}

#[tokio::test]
async fn many_senders_and_apps_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    let senders = (0..8).map(|sender| {
        let client = logger.client.clone();
        tokio::spawn(async move {
            for round in 0..5 {
                let records = (0..300)
                    .map(|app| LogRecord {
                        source: format!("web.{sender}"),
                        ..record(&format!("app-{app}"), round, &format!("{sender} {round}"))
                    })
                    .collect();
                client.ship_logs(&LogBatch { records }).await.unwrap();
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    for app in [0, 150, 299] {
        assert_eq!(logger.texts(&format!("/app-{app}")).await.len(), 40);
    }
    logger.stop().await;
}

#[tokio::test]
async fn a_disk_that_refuses_is_reported_and_recovered_from() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    // A file where the app's directory has to be: writing fails until it is gone.
    std::fs::write(directory.path().join("blog"), "").unwrap();
    let refused = logger.client.ship_logs(&LogBatch { records: numbered("blog", 0..2) }).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(logger.status.snapshot().problems.len(), 1);
    std::fs::remove_file(directory.path().join("blog")).unwrap();
    logger.ship(numbered("blog", 0..2)).await;
    assert_eq!(logger.texts("/blog").await, ["line 0", "line 1"]);
    assert!(logger.status.snapshot().problems.is_empty());
    logger.stop().await;
}

#[tokio::test]
async fn batches_over_the_limit_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let logger = start(directory.path()).await;
    let refused =
        logger.client.ship_logs(&LogBatch { records: numbered("blog", 0..10_001) }).await.unwrap_err();
    assert_eq!(refused.status(), Some(StatusCode::PAYLOAD_TOO_LARGE));
    let garbled = logger.client.request(Method::POST, "/internal/logs").body("{");
    assert_eq!(logger.client.send(garbled).await.unwrap_err().status(), Some(StatusCode::BAD_REQUEST));
    logger.stop().await;
}

const KILLED_DIRECTORY: &str = "DEIS_TEST_KILLED_DIRECTORY";

#[tokio::test]
#[ignore = "a part of what_was_acknowledged_survives_a_kill, which runs it in a process of its own"]
async fn a_logger_to_be_killed() {
    let directory = PathBuf::from(std::env::var(KILLED_DIRECTORY).unwrap());
    let logger = start_with(&directory.join("logs"), |config| config.segment_bytes = 50_000).await;
    let note = directory.join("address.new");
    std::fs::write(&note, logger.address.to_string()).unwrap();
    std::fs::rename(note, directory.join("address")).unwrap();
    logger.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut acknowledged = 0;
    for round in 1_i64..=3 {
        let mut process = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_logger_to_be_killed", "--ignored"])
            .env(KILLED_DIRECTORY, directory.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let client = InternalClient::new(&format!("http://{}", address(directory.path()).await), KEY);
        let killer = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(200 * round.unsigned_abs())).await;
            process.kill().unwrap();
            process.wait().unwrap();
        });
        // What was not acknowledged is sent again to the next one, as logspout does.
        while acknowledged < round * LINES_A_ROUND
            && client
                .ship_logs(&LogBatch { records: numbered("blog", acknowledged..acknowledged + 50) })
                .await
                .is_ok()
        {
            acknowledged += 50;
        }
        killer.await.unwrap();
    }
    let logger = start(&directory.path().join("logs")).await;
    logger.ship(numbered("blog", acknowledged..acknowledged + 50)).await;
    let expected: Vec<_> = (0..acknowledged + 50).map(|number| format!("line {number}")).collect();
    assert!(expected.len() > 150, "{} lines", expected.len());
    let kept = logger.texts("/blog?log_lines=100000").await;
    assert!(kept == expected, "{} lines of {}, the first {:?}", kept.len(), expected.len(), kept.first());
    logger.stop().await;
}

/// Where the logger in the other process listens, once it does.
async fn address(directory: &Path) -> String {
    let file = directory.join("address");
    loop {
        if let Ok(address) = std::fs::read_to_string(&file) {
            std::fs::remove_file(&file).expect("nobody else removes it");
            return address;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
