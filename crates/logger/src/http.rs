//! The logger's calls: `POST /internal/logs`, `GET /<app>`, `DELETE /<app>`. All need the internal key.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::Semaphore;

use deis_api::internal::LogBatch;
use deis_model::AppId;
use deis_runtime::auth::InternalKey;
use deis_runtime::{Allowed, Role, Shutdown, require_internal_key, require_role};

use crate::archive::{Archive, SharedLog, lock};
use crate::error::WriteError;
use crate::follow;
use crate::record::Record;
use crate::tail::{MAX_LINES, Slice, last_records};
use crate::writer::{Batch, WriterHandle};

/// The most records in a batch.
const MAX_RECORDS: usize = 10_000;
/// The largest batch as JSON: 8 MiB of text, of which much may be escaped.
const MAX_BODY_BYTES: usize = 32 << 20;
/// How many batches are in memory at once.
const MAX_BATCHES: usize = 8;
/// How many readers follow at once.
const MAX_FOLLOWERS: usize = 1000;
/// How many lines one gets who does not say, or says nonsense.
const DEFAULT_LINES: usize = 100;

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) archive: Arc<Archive>,
    pub(crate) writer: WriterHandle,
    pub(crate) shutdown: Shutdown,
    batches: Arc<Semaphore>,
    followers: Arc<Semaphore>,
}

impl Service {
    /// A service over `archive`, written by `writer`.
    pub(crate) fn new(archive: Arc<Archive>, writer: WriterHandle, shutdown: Shutdown) -> Self {
        let batches = Arc::new(Semaphore::new(MAX_BATCHES));
        let followers = Arc::new(Semaphore::new(MAX_FOLLOWERS));
        Self { archive, writer, shutdown, batches, followers }
    }
}

/// Routes of `service`, closed to callers without `key`.
pub(crate) fn router(service: Service, key: InternalKey) -> Router {
    Router::new()
        .route("/{app}", get(read).delete(remove))
        .route("/{app}/", get(read).delete(remove))
        .layer(from_fn_with_state(Allowed::roles([Role::Controller]), require_role))
        .merge(senders())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(key, require_internal_key))
        .with_state(service)
}

/// What logspout calls, the controller with its events, and routers with what apps want to know of their requests.
fn senders() -> Router<Service> {
    let allowed = Allowed::roles([Role::Logspout, Role::Controller, Role::Router]);
    Router::new().route("/internal/logs", post(store)).layer(from_fn_with_state(allowed, require_role))
}

async fn store(State(service): State<Service>, request: Request) -> Response {
    // Before the body is read: it is what takes memory.
    let Ok(_permit) = service.batches.acquire().await else { return closed() };
    let Ok(body) = to_bytes(request.into_body(), MAX_BODY_BYTES).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "a batch is at most 8 MiB: send smaller ones\n")
            .into_response();
    };
    match serde_json::from_slice::<LogBatch>(&body) {
        Ok(batch) if batch.records.len() <= MAX_RECORDS => match service.writer.append(by_app(batch)).await {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(failure) => refuse(&failure),
        },
        Ok(_) => (StatusCode::PAYLOAD_TOO_LARGE, "a batch is at most 10,000 records\n").into_response(),
        Err(error) => {
            (StatusCode::BAD_REQUEST, format!("failed to read the batch: {error}\n")).into_response()
        }
    }
}

/// Records that name no app are left out: refusing the batch would make the sender repeat it for ever.
fn by_app(batch: LogBatch) -> Batch {
    let mut apps = Batch::new();
    for (app, record) in batch.records.into_iter().filter_map(Record::accept) {
        apps.entry(app).or_default().push(record);
    }
    apps
}

#[derive(Deserialize)]
struct Reading {
    log_lines: Option<String>,
    follow: Option<String>,
}

impl Reading {
    fn lines(&self) -> usize {
        let asked = self.log_lines.as_deref().and_then(|lines| lines.parse().ok());
        asked.filter(|lines| *lines > 0).unwrap_or(DEFAULT_LINES).min(MAX_LINES)
    }

    fn follows(&self) -> bool {
        self.follow.as_deref().is_some_and(|follow| matches!(follow, "true" | "1" | ""))
    }
}

async fn read(
    State(service): State<Service>,
    Path(app): Path<String>,
    Query(reading): Query<Reading>,
) -> Response {
    let Ok(app) = AppId::parse(&app) else { return StatusCode::NOT_FOUND.into_response() };
    let read = match reading.follows() {
        true => follow(service, app, reading.lines()).await,
        false => tail(service, app, reading.lines()).await,
    };
    read.unwrap_or_else(|failure| refuse(&failure))
}

async fn tail(service: Service, app: AppId, lines: usize) -> Result<Response, WriteError> {
    let Some(log) = service.archive.find(&app) else { return Ok(StatusCode::NO_CONTENT.into_response()) };
    let text = off_thread(move || last_lines(&app, &lock(&log).slices()?, lines)).await?;
    Ok(match text.is_empty() {
        true => StatusCode::NO_CONTENT.into_response(),
        false => text_response(Body::from(text)),
    })
}

async fn follow(service: Service, app: AppId, lines: usize) -> Result<Response, WriteError> {
    let Ok(permit) = service.followers.clone().try_acquire_owned() else {
        let text = "too many readers follow logs: try again when some have left\n";
        return Ok((StatusCode::SERVICE_UNAVAILABLE, text).into_response());
    };
    let log = service.archive.find_or_make(&app)?;
    let (follower, followed) = follow::pair();
    let of = app.clone();
    let stored = off_thread(move || last_lines(&of, &join(&log, follower)?, lines)).await?;
    let stream = stream::once(async move { stored })
        .chain(followed.into_stream(app, permit))
        .take_until(service.shutdown.cancelled_owned());
    Ok(text_response(Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>))))
}

/// Under one lock, so that every line is either in the slices or comes to the follower.
fn join(log: &SharedLog, follower: follow::Follower) -> Result<Vec<Slice>, WriteError> {
    let mut log = lock(log);
    let slices = log.slices()?;
    log.add_follower(follower);
    Ok(slices)
}

fn last_lines(app: &AppId, slices: &[Slice], lines: usize) -> Result<Bytes, WriteError> {
    let mut text = Vec::new();
    last_records(slices, lines)?.iter().for_each(|record| record.show(app, &mut text));
    Ok(Bytes::from(text))
}

async fn remove(State(service): State<Service>, Path(app): Path<String>) -> Response {
    let Ok(app) = AppId::parse(&app) else { return StatusCode::NOT_FOUND.into_response() };
    match service.writer.remove(app).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(failure) => refuse(&failure),
    }
}

/// Runs what reads files where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WriteError> + Send + 'static,
) -> Result<T, WriteError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| WriteError::Closed)?
}

fn text_response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn refuse(failure: &WriteError) -> Response {
    let status = match failure {
        WriteError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
        WriteError::Disk { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        WriteError::Closed => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("{failure}\n")).into_response()
}

fn closed() -> Response {
    refuse(&WriteError::Closed)
}
