//! The internal calls of routers and publishers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use time::OffsetDateTime;
use tracing::warn;

use deis_api::internal::{EndpointReport, ROUTES_HOLD_SECONDS, RoutesRequest, RoutesResponse};
use deis_database::Database;
use deis_model::AppId;

use super::{Reports, RouteBook};

/// What the internal calls work on.
#[derive(Clone)]
pub struct RoutesState {
    /// The routes.
    pub book: Arc<RouteBook>,
    /// What publishers say.
    pub reports: Arc<Reports>,
    /// Remembers which hosts exist.
    pub database: Database,
    /// Told which apps' endpoints changed.
    pub wake: Arc<dyn Fn(BTreeSet<AppId>) + Send + Sync>,
}

/// `POST /internal/routes` and `PUT /internal/hosts/<host>/endpoints`; to be put behind the internal key.
pub fn routes_router(state: RoutesState) -> axum::Router {
    axum::Router::new()
        .route("/internal/routes", post(routes))
        .route("/internal/hosts/{host}/endpoints", put(report))
        .with_state(state)
}

async fn routes(State(state): State<RoutesState>, Json(request): Json<RoutesRequest>) -> Response {
    let _guard = state.book.note_router(&request);
    let hold = if request.hold { Duration::from_secs(ROUTES_HOLD_SECONDS) } else { Duration::ZERO };
    match tokio::time::timeout(hold, news(&state.book, &request)).await {
        Ok(news) => Json(news).into_response(),
        Err(_) if state.book.is_open() && !request.epoch.is_empty() => {
            Json(state.book.nothing_new()).into_response()
        }
        Err(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the controller is still learning what runs\n").into_response()
        }
    }
}

async fn news(book: &RouteBook, request: &RoutesRequest) -> RoutesResponse {
    let mut changes = book.subscribe();
    loop {
        match book.news(request) {
            Some(news) => return news,
            None => drop(changes.changed().await),
        }
    }
}

async fn report(
    State(state): State<RoutesState>,
    Path(host): Path<String>,
    Json(report): Json<EndpointReport>,
) -> StatusCode {
    if !state.reports.has_reported(&host)
        && let Err(error) = state.database.touch_host(&host, OffsetDateTime::now_utc()).await
    {
        warn!(host, error = %error, "failed to remember the host");
    }
    let changed = state.reports.take(&host, report, Instant::now());
    (state.wake)(changed);
    StatusCode::NO_CONTENT
}
