//! A controller and a logger in one: takes notes of what is reported and shipped.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router};
use deis_api::client::InternalClient;
use deis_api::internal::{EndpointReport, LogBatch, LogRecord, ReportedEndpoint};

/// What was noted.
#[derive(Clone, Default)]
pub(crate) struct Platform {
    reports: Arc<Mutex<Vec<EndpointReport>>>,
    /// The revision that is held.
    revision: Arc<Mutex<Option<String>>>,
    records: Arc<Mutex<Vec<LogRecord>>>,
    away: Arc<AtomicBool>,
}

impl Platform {
    /// Listens on a free port and answers a client of it.
    pub(crate) async fn start() -> (Self, InternalClient) {
        // A second test in this process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let platform = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address: SocketAddr = listener.local_addr().expect("address");
        let router = Router::new()
            .route("/internal/hosts/{host}/endpoints", put(note_report))
            .route("/internal/logs", post(note_records))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(platform.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (platform, InternalClient::new(&format!("http://{address}"), "key"))
    }

    /// Refuses everything with 503 while `away`.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Forgets what was reported, as another controller that takes over.
    pub(crate) fn forget_reports(&self) {
        let mut held = self.revision.lock().expect("no test panics with it");
        self.reports.lock().expect("no test panics with it").clear();
        *held = None;
    }

    /// How often a report was renewed.
    pub(crate) fn renewals(&self) -> usize {
        let reports = self.reports.lock().expect("no test panics with it");
        reports.iter().filter(|report| report.endpoints.is_none()).count()
    }

    /// Every list of endpoints so far, as `web.1+` where ready and `web.1-` where not.
    pub(crate) fn reports(&self) -> Vec<Vec<String>> {
        let reports = self.reports.lock().expect("no test panics with it");
        let told = |one: &ReportedEndpoint| {
            format!("{}{}", one.container.short(), if one.ready { '+' } else { '-' })
        };
        let lists = reports.iter().filter_map(|report| report.endpoints.as_ref());
        lists.map(|endpoints| endpoints.iter().map(told).collect()).collect()
    }

    /// Waits until the last report is `wanted`.
    pub(crate) async fn until_reported(&self, wanted: &[&str]) {
        self.until(|platform| platform.reports().last().is_some_and(|last| last == wanted)).await;
    }

    /// The texts that `source` printed, in the order of their arrival.
    pub(crate) fn texts(&self, source: &str) -> Vec<String> {
        let records = self.records.lock().expect("no test panics with it");
        records.iter().filter(|record| record.source == source).map(|record| record.text.clone()).collect()
    }

    /// Waits until `source` has printed `lines` lines.
    pub(crate) async fn until_printed(&self, source: &str, lines: usize) {
        self.until(|platform| platform.texts(source).len() >= lines).await;
    }

    /// Waits for something.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        for _ in 0..3000 {
            if wanted(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not come to that; reports: {:?}", self.reports().last());
    }

    fn answer(&self) -> StatusCode {
        match self.away.load(Ordering::SeqCst) {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::NO_CONTENT,
        }
    }
}

async fn note_report(State(platform): State<Platform>, Json(report): Json<EndpointReport>) -> StatusCode {
    if platform.away.load(Ordering::SeqCst) {
        return platform.answer();
    }
    let mut held = platform.revision.lock().expect("no test panics with it");
    if report.endpoints.is_none() && held.as_ref() != Some(&report.revision) {
        return StatusCode::CONFLICT;
    }
    *held = Some(report.revision.clone());
    platform.reports.lock().expect("no test panics with it").push(report);
    platform.answer()
}

async fn note_records(State(platform): State<Platform>, Json(batch): Json<LogBatch>) -> StatusCode {
    if !platform.away.load(Ordering::SeqCst) {
        platform.records.lock().expect("no test panics with it").extend(batch.records);
    }
    platform.answer()
}
