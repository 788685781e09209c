//! Shipping lines to the logger in batches.

use std::collections::HashMap;
use std::time::Duration;

use deis_api::client::{CallError, InternalClient};
use deis_api::internal::LogBatch;
use deis_runtime::{Shutdown, StatusBoard};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};

use super::follower::Line;
use super::position::{Position, Positions};
use crate::backoff::Backoff;

/// A batch is shipped when it has this many records, …
const BATCH_RECORDS: usize = 1000;

/// … this many bytes of text, …
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// … or is this old.
const BATCH_AGE: Duration = Duration::from_millis(50);

/// Positions are written at most this often.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How long the last batch may take when leaving.
const LAST_BATCH: Duration = Duration::from_secs(5);

/// Refusals that would be the same next time.
const HOPELESS: [u16; 3] = [400, 413, 422];

/// Ships lines.
pub(super) struct Shipper {
    logger: InternalClient,
    queue: mpsc::Receiver<Line>,
    positions: Positions,
    board: StatusBoard,
    backoff: Backoff,
    /// Whether the last attempt to ship failed.
    is_away: bool,
    saved: Instant,
}

/// Lines that go out together, and how far they reach.
struct Batch {
    logs: LogBatch,
    reached: HashMap<String, Position>,
    bytes: usize,
}

impl Shipper {
    /// One that ships what comes through `queue`.
    pub(super) fn new(
        logger: InternalClient,
        queue: mpsc::Receiver<Line>,
        positions: Positions,
        board: StatusBoard,
    ) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        Self { logger, queue, positions, board, backoff, is_away: false, saved: Instant::now() }
    }

    /// Ships until the queue ends; after `shutdown` a logger that is away is not waited for.
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        while let Some(batch) = self.collect().await {
            if !self.ship(batch, &shutdown).await {
                break;
            }
            if self.saved.elapsed() >= SAVE_EVERY {
                self.save();
            }
        }
        self.save();
    }

    /// The next batch; none at the end of the queue.
    async fn collect(&mut self) -> Option<Batch> {
        let mut batch = Batch::of(self.first().await?);
        let deadline = Instant::now() + BATCH_AGE;
        while !batch.is_full() {
            match timeout_at(deadline, self.queue.recv()).await {
                Ok(Some(line)) => batch.add(line),
                Ok(None) | Err(_) => break,
            }
        }
        Some(batch)
    }

    /// The first line of a batch. Positions that wait to be written are written when no line comes.
    async fn first(&mut self) -> Option<Line> {
        match timeout(SAVE_EVERY, self.queue.recv()).await {
            Ok(line) => line,
            Err(_) => {
                self.save();
                self.queue.recv().await
            }
        }
    }

    /// Ships until the logger has it on disk. Answers whether to go on.
    async fn ship(&mut self, batch: Batch, shutdown: &Shutdown) -> bool {
        loop {
            let shipped = tokio::select! {
                shipped = self.logger.ship_logs(&batch.logs) => shipped,
                () = late(shutdown) => return false,
            };
            match shipped {
                Ok(()) => break self.shipped(batch),
                Err(error) if is_hopeless(&error) => {
                    warn!(%error, records = batch.logs.records.len(), "the logger refused records; they are dropped");
                    break self.shipped(batch);
                }
                // Leaving: what is not acknowledged is shipped after the next start.
                Err(_) if shutdown.is_cancelled() => return false,
                Err(error) => self.failed(&error, shutdown).await,
            }
        }
        true
    }

    fn shipped(&mut self, batch: Batch) {
        if std::mem::take(&mut self.is_away) {
            info!("the logger takes records again");
        }
        self.board.well("logger");
        self.backoff.reset();
        self.positions.acknowledge(batch.reached);
    }

    async fn failed(&mut self, error: &CallError, shutdown: &Shutdown) {
        // Once for each time that it goes away: it is tried again and again.
        if !std::mem::replace(&mut self.is_away, true) {
            warn!(%error, "failed to ship logs; reading waits");
        }
        self.board.trouble("logger", error, "start the logger; output waits in the container engine's files");
        tokio::select! {
            () = tokio::time::sleep(self.backoff.wait()) => {}
            () = shutdown.cancelled() => {}
        }
    }

    fn save(&mut self) {
        self.saved = Instant::now();
        match self.positions.save() {
            Ok(()) => self.board.well("positions"),
            Err(error) => {
                warn!(%error, "failed to keep positions");
                self.board.trouble("positions", error, "free space on the disk of the data directory");
            }
        }
    }
}

impl Batch {
    fn of(line: Line) -> Self {
        let mut batch = Self { logs: LogBatch { records: Vec::new() }, reached: HashMap::new(), bytes: 0 };
        batch.add(line);
        batch
    }

    fn add(&mut self, line: Line) {
        self.bytes += line.record.text.len();
        self.logs.records.push(line.record);
        self.reached.insert(line.container, line.position);
    }

    fn is_full(&self) -> bool {
        self.logs.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }
}

fn is_hopeless(error: &CallError) -> bool {
    error.status().is_some_and(|status| HOPELESS.contains(&status.as_u16()))
}

/// A while after `shutdown`.
async fn late(shutdown: &Shutdown) {
    shutdown.cancelled().await;
    tokio::time::sleep(LAST_BATCH).await;
}
