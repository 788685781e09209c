//! Lifecycle events: lines in an app's own log, shipped to the logger without anybody waiting for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tracing::warn;

use deis_api::client::InternalClient;
use deis_api::internal::{LogBatch, LogRecord};
use deis_model::AppId;
use deis_runtime::Shutdown;

/// How many events wait for the logger at most; further ones are lost, and the journal says so.
const QUEUE: usize = 10_000;

/// How many events are shipped at once.
const BATCH: usize = 500;

/// How often the logger is tried while it cannot be reached, and how long between tries.
const ATTEMPTS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// Notes what happens to apps. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<LogRecord>,
}

impl Events {
    /// Starts to ship events to `logger` until `shutdown`; what is queued then is still shipped once.
    pub fn start(logger: InternalClient, shutdown: Shutdown) -> Self {
        let (queue, records) = mpsc::channel(QUEUE);
        tokio::spawn(ship(logger, records, shutdown));
        Self { queue }
    }

    /// Notes `text` in the log of `app`. Never waits. Not in the platform's own journal: commands may hold secrets.
    pub fn say(&self, app: &AppId, text: impl Into<String>) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = LogRecord {
            app: app.to_string(),
            source: "deis-controller".to_owned(),
            timestamp: i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            text: text.into(),
        };
        if self.queue.try_send(record).is_err() {
            warn!(app = %app, "an event is missing in the app's log: the logger is behind or the platform stops");
        }
    }
}

async fn ship(logger: InternalClient, mut records: mpsc::Receiver<LogRecord>, shutdown: Shutdown) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            count = records.recv_many(&mut batch, BATCH) => if count == 0 { return },
            () = shutdown.cancelled() => {
                while let Ok(record) = records.try_recv() {
                    batch.push(record);
                }
                ship_batch(&logger, std::mem::take(&mut batch), 1).await;
                return;
            }
        }
        let shipped = ship_batch(&logger, std::mem::take(&mut batch), ATTEMPTS);
        tokio::select! {
            () = shipped => {}
            () = shutdown.cancelled() => {}
        }
    }
}

async fn ship_batch(logger: &InternalClient, records: Vec<LogRecord>, attempts: u32) {
    let batch = LogBatch { records };
    if batch.records.is_empty() {
        return;
    }
    for attempt in 1..=attempts {
        match logger.ship_logs(&batch).await {
            Ok(()) => return,
            Err(error) if attempt == attempts => {
                warn!(error = %error, events = batch.records.len(), "failed to ship events to the logger");
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
