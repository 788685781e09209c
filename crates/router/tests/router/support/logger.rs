//! A logger that keeps what it is sent.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use deis_api::internal::{LogBatch, LogRecord};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A logger. Ends when dropped.
pub(crate) struct Logger {
    records: watch::Receiver<Vec<LogRecord>>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Logger {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, records) = watch::channel(Vec::new());
        let router = axum::Router::new().route("/internal/logs", post(store)).with_state(Arc::new(sender));
        let serving = tokio::spawn(super::serve::serve(listener, router, Arc::default()));
        Self { records, address, serving }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was sent, once that is `count` lines.
    pub(crate) async fn records(&self, count: usize) -> Vec<LogRecord> {
        let mut records = self.records.clone();
        let enough = records.wait_for(|records| records.len() >= count);
        tokio::time::timeout(super::PATIENCE, enough).await.expect("lines come in time").unwrap().clone()
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn store(
    State(records): State<Arc<watch::Sender<Vec<LogRecord>>>>,
    Json(batch): Json<LogBatch>,
) -> StatusCode {
    records.send_modify(|records| records.extend(batch.records));
    StatusCode::NO_CONTENT
}
