//! `/internal/…`: what only the controller that leads answers: routers, publishers, other controllers, `deisctl`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Json, Router};

use deis_api::client::LEADER;
use deis_api::internal::{
    DeployRequest, EndpointReport, Leader, ROUTES_HOLD_SECONDS, RoutesRequest, RoutesResponse,
};
use deis_model::AppId;
use deis_runtime::{Peer, Role};
use tracing::error;

use super::router::{OPERATOR, for_roles};
use crate::lead::{Seat, Seats, Term};
use crate::routes::RouteBook;

/// How long a call waits for a leader while none is known, as after a start.
const SEAT_PATIENCE: Duration = Duration::from_secs(1);
/// The longest that a controller may ask this one to wait for a deploy.
const LONGEST_HOLD: Duration = Duration::from_secs(3600);

/// Calls for the leader; to be put behind the internal key.
pub fn leader_router(seats: Seats) -> Router {
    let of_controllers =
        Router::new().route("/internal/deploys/{app}", post(deploy)).route("/internal/leader", get(leader));
    let of_routers = Router::new().route("/internal/routes", post(routes));
    let of_publishers = Router::new().route("/internal/hosts/{host}/endpoints", put(report));
    let of_operators = Router::new().route("/internal/hosts/{host}", delete(forget_host));
    for_roles(of_controllers, [Role::Controller.as_str()])
        .merge(for_roles(of_routers, [Role::Router.as_str()]))
        .merge(for_roles(of_publishers, [Role::Publisher.as_str()]))
        .merge(for_roles(of_operators, [OPERATOR]))
        .with_state(seats)
}

async fn leader(State(seats): State<Seats>) -> Json<Leader> {
    Json(seats.borrow().leader())
}

async fn routes(State(seats): State<Seats>, Json(request): Json<RoutesRequest>) -> Response {
    let term = match term(&seats).await {
        Ok(term) => term,
        Err(leader) => return misdirected(&leader),
    };
    let book = &term.routing().book;
    let _guard = book.note_router(&request);
    let hold = if request.hold { Duration::from_secs(ROUTES_HOLD_SECONDS) } else { Duration::ZERO };
    let answer = tokio::select! {
        answer = tokio::time::timeout(hold, news(book, &request)) => answer,
        () = term.ended() => return misdirected(&seats.borrow().leader()),
    };
    match answer {
        Ok(news) => Json(news).into_response(),
        Err(_) if book.is_open() && !request.epoch.is_empty() => Json(book.nothing_new()).into_response(),
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
    State(seats): State<Seats>,
    Path(host): Path<String>,
    peer: Option<Extension<Peer>>,
    Json(report): Json<EndpointReport>,
) -> Response {
    if peer.is_some_and(|Extension(peer)| !peer.is_on(&host)) {
        return (StatusCode::FORBIDDEN, "a publisher reports of its own host only\n").into_response();
    }
    let term = match term(&seats).await {
        Ok(term) => term,
        Err(leader) => return misdirected(&leader),
    };
    match term.take_report(&host, report) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => (StatusCode::CONFLICT, "send all endpoints: this revision is not known\n").into_response(),
    }
}

async fn forget_host(State(seats): State<Seats>, Path(host): Path<String>) -> Response {
    let term = match term(&seats).await {
        Ok(term) => term,
        Err(leader) => return misdirected(&leader),
    };
    match term.forget_host(&host).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => {
            error!(host, error = %error, "failed to forget a host");
            (StatusCode::SERVICE_UNAVAILABLE, format!("failed to forget the host {host}: {error}\n"))
                .into_response()
        }
    }
}

async fn deploy(
    State(seats): State<Seats>,
    Path(app): Path<AppId>,
    Json(request): Json<DeployRequest>,
) -> Response {
    let hold = Duration::from_millis(request.hold_millis).min(LONGEST_HOLD);
    let answer = match term(&seats).await {
        Ok(term) => term.answer(&app, &request.goal, hold).await,
        Err(leader) => return misdirected(&leader),
    };
    match answer {
        Some(answer) => Json(answer).into_response(),
        None => misdirected(&Leader::default()),
    }
}

/// The term, if this controller leads; otherwise who does.
async fn term(seats: &Seats) -> Result<Arc<Term>, Leader> {
    let mut seats = seats.clone();
    let is_known = |seat: &Seat| seat.term().is_some() || seat.leader().url.is_some();
    let seat = match tokio::time::timeout(SEAT_PATIENCE, seats.wait_for(is_known)).await {
        Ok(Ok(seat)) => seat.clone(),
        _ => return Err(Leader::default()),
    };
    seat.term().cloned().ok_or_else(|| seat.leader())
}

fn misdirected(leader: &Leader) -> Response {
    let url = leader.url.as_deref().and_then(|url| axum::http::HeaderValue::from_str(url).ok());
    let answer = (StatusCode::MISDIRECTED_REQUEST, "another controller leads\n");
    match url {
        Some(url) => ([(LEADER, url)], answer).into_response(),
        None => answer.into_response(),
    }
}
