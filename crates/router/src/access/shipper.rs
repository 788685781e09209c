//! Lines for apps' own logs, on their way to the logger.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_api::internal::{LogBatch, LogRecord};
use deis_model::AppId;
use time::OffsetDateTime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How much text waits for the logger at most; further lines are dropped.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// A batch is shipped when it has this many lines, this much text, or is this old.
const BATCH_LINES: usize = 1_000;
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_AGE: Duration = Duration::from_millis(200);

/// How often the logger is tried, and how long between tries.
const ATTEMPTS: u32 = 10;
const RETRY: Duration = Duration::from_millis(500);

/// How long the last lines may take when the router ends.
const LAST: Duration = Duration::from_secs(2);

/// Takes lines for the logger.
pub(crate) struct Shipper {
    queue: mpsc::UnboundedSender<LogRecord>,
    /// Bytes that wait, or are being shipped.
    waiting: Arc<AtomicUsize>,
}

/// Ships what the shipper takes.
pub(crate) struct Shipping {
    logger: InternalClient,
    queue: mpsc::UnboundedReceiver<LogRecord>,
    waiting: Arc<AtomicUsize>,
}

impl Shipper {
    /// One for `logger`, and what has to run for it.
    pub(crate) fn new(logger: InternalClient) -> (Self, Shipping) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        let shipping = Shipping { logger, queue: receiver, waiting: Arc::clone(&waiting) };
        (Self { queue: sender, waiting }, shipping)
    }

    /// Takes `text` for the log of `app`; whether there was room.
    pub(super) fn ship(&self, app: &AppId, at: OffsetDateTime, text: String) -> bool {
        let length = text.len();
        if self.waiting.fetch_add(length, Relaxed) + length > WAITING_BYTES {
            self.waiting.fetch_sub(length, Relaxed);
            return false;
        }
        let record = LogRecord {
            app: app.to_string(),
            source: "router".to_owned(),
            timestamp: i64::try_from(at.unix_timestamp_nanos()).unwrap_or(i64::MAX),
            text,
        };
        self.queue.send(record).is_ok()
    }
}

impl Shipping {
    /// Ships until `shutdown`, and then once more what still waits.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let first = tokio::select! {
                biased;
                first = self.queue.recv() => first,
                () = shutdown.cancelled() => None,
            };
            let Some(first) = first else { return };
            let batch = self.collect(first, &shutdown).await;
            let length = batch.iter().map(|record| record.text.len()).sum();
            self.ship(LogBatch { records: batch }, &shutdown).await;
            self.waiting.fetch_sub(length, Relaxed);
        }
    }

    /// A batch that begins with `first`.
    async fn collect(&mut self, first: LogRecord, shutdown: &CancellationToken) -> Vec<LogRecord> {
        let (mut bytes, mut batch) = (first.text.len(), vec![first]);
        let age = tokio::time::sleep(BATCH_AGE);
        tokio::pin!(age);
        while batch.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let next = tokio::select! {
                biased;
                next = self.queue.recv() => next,
                () = &mut age => None,
                () = shutdown.cancelled() => None,
            };
            let Some(next) = next else { break };
            bytes += next.text.len();
            batch.push(next);
        }
        batch
    }

    async fn ship(&self, batch: LogBatch, shutdown: &CancellationToken) {
        let late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        let shipped = async {
            for _ in 1..ATTEMPTS {
                match self.logger.ship_logs(&batch).await {
                    Ok(()) => return Ok(()),
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
            }
            self.logger.ship_logs(&batch).await
        };
        tokio::select! {
            shipped = shipped => if let Err(error) = shipped {
                tracing::warn!(%error, lines = batch.records.len(), "failed to ship requests to apps' logs");
            },
            () = late => {}
        }
    }
}
