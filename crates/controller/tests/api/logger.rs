//! A logger that keeps lines in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use deis_api::internal::LogBatch;

type Lines = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

pub(crate) struct FakeLogger {
    pub(crate) url: String,
    lines: Lines,
}

impl FakeLogger {
    pub(crate) async fn start() -> Self {
        let lines = Lines::default();
        let router = Router::new()
            .route("/internal/logs", post(store))
            .route("/{app}", get(read).delete(remove))
            .with_state(Arc::clone(&lines));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, lines }
    }

    /// Waits until the log of `app` holds `text`.
    pub(crate) async fn await_line(&self, app: &str, text: &str) {
        let holds = || {
            self.lines
                .lock()
                .unwrap()
                .get(app)
                .is_some_and(|lines| lines.iter().any(|line| line.contains(text)))
        };
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(5), waiting).await;
        assert!(found.is_ok(), "no {text:?} in {:?}", self.lines.lock().unwrap().get(app));
    }

    pub(crate) fn has_log(&self, app: &str) -> bool {
        self.lines.lock().unwrap().contains_key(app)
    }
}

async fn store(State(lines): State<Lines>, Json(batch): Json<LogBatch>) -> StatusCode {
    for record in batch.records {
        let line = format!("{} {}[{}]: {}\n", record.timestamp, record.app, record.source, record.text);
        lines.lock().unwrap().entry(record.app).or_default().push(line);
    }
    StatusCode::NO_CONTENT
}

async fn read(
    State(lines): State<Lines>,
    Path(app): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    if app == "broken" {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let wanted: usize = query["log_lines"].parse().unwrap();
    match lines.lock().unwrap().get(&app) {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(lines) => lines[lines.len().saturating_sub(wanted)..].concat().into_response(),
    }
}

async fn remove(State(lines): State<Lines>, Path(app): Path<String>) -> StatusCode {
    lines.lock().unwrap().remove(&app);
    StatusCode::NO_CONTENT
}
