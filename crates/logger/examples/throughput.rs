//! How fast a logger takes lines, and how fast it gives the last ones back.
//!
//! `cargo run --release -p deis-logger --example throughput -- [<seconds> [<apps>]]` in a scratch directory.

use std::time::{Duration, Instant};

use anyhow::Result;
use deis_api::client::InternalClient;
use deis_api::internal::{LogBatch, LogRecord};
use deis_logger::{Config, Logger};
use deis_runtime::{Role, Shutdown, StatusBoard};
use reqwest::Method;

/// Lines per batch.
const BATCH: usize = 5000;
/// Senders at once.
const SENDERS: usize = 4;

#[tokio::main]
async fn main() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let seconds = arguments.next().transpose()?.unwrap_or(5);
    let apps = arguments.next().transpose()?.unwrap_or(1).max(1);
    let directory = tempfile::tempdir()?;
    let mut config = Config::new(directory.path().to_owned(), "key");
    config.listen.set_port(0);
    let logger = Logger::bind(config, StatusBoard::new(Role::Logger)).await?;
    let client = InternalClient::new(&format!("http://{}", logger.local_addr()), "key");
    let shutdown = Shutdown::new();
    let served = tokio::spawn(logger.run(shutdown.clone()));
    take(&client, Duration::from_secs(seconds as u64), apps).await?;
    give(&client).await?;
    shutdown.cancel();
    served.await?
}

async fn take(client: &InternalClient, time: Duration, apps: usize) -> Result<()> {
    let started = Instant::now();
    let senders = (0..SENDERS).map(|sender| tokio::spawn(send(client.clone(), sender, started + time, apps)));
    let mut lines = 0;
    for sender in senders.collect::<Vec<_>>() {
        lines += sender.await??;
    }
    let rate = lines as f64 / started.elapsed().as_secs_f64();
    println!("{lines} lines taken and synced, {rate:.0} lines/s, {apps} apps, {SENDERS} senders");
    Ok(())
}

async fn send(client: InternalClient, sender: usize, end: Instant, apps: usize) -> Result<usize> {
    let mut lines = 0;
    while Instant::now() < end {
        let record = |line: usize| LogRecord {
            app: format!("app-{}", line % apps),
            source: format!("web.{sender}"),
            timestamp: i64::try_from(line).unwrap_or(i64::MAX),
            text: format!(
                "{line} GET /articles/{line} 200 12 ms request-id=0d9c0d3f7b4f6a11 user-agent=curl"
            ),
        };
        let records = (lines..lines + BATCH).map(record).collect();
        client.ship_logs(&LogBatch { records }).await?;
        lines += BATCH;
    }
    Ok(lines)
}

async fn give(client: &InternalClient) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        client.send(client.request(Method::GET, "/app-0?log_lines=100")).await?.text().await?;
        times.push(started.elapsed());
    }
    times.sort();
    println!("last 100 lines: median {:?}, p99 {:?}", times[100], times[198]);
    Ok(())
}
