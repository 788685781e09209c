//! A controller that hands out routes and nothing else: what a router needs to have a table of any size.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use deis_api::internal::{PlatformRoutes, RoutesRequest, RoutesResponse};
use deis_model::AppRoute;
use deis_runtime::Shutdown;
use tokio::sync::watch;

/// How long a request without news is held.
const HOLD: Duration = Duration::from_secs(5);

/// A controller that hands out routes.
pub(super) struct Controller {
    book: Arc<Book>,
    /// Where it listens.
    pub(super) address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

struct Book {
    platform: PlatformRoutes,
    /// Each with the generation that changed it: the place in the list, counted from 1.
    routes: Mutex<Vec<AppRoute>>,
    generation: watch::Sender<u64>,
}

impl Controller {
    /// Hands out `routes` and the settings of `platform`, on a thread of its own.
    pub(super) fn start(routes: Vec<AppRoute>, platform: PlatformRoutes) -> Self {
        let generation = watch::Sender::new(routes.len() as u64);
        let routes = Mutex::new(routes);
        let book = Arc::new(Book { platform, routes, generation });
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a thread can be started");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = runtime.block_on(deis_runtime::bind(any)).expect("loopback has free ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        let router = Router::new().route("/internal/routes", post(answer)).with_state(Arc::clone(&book));
        runtime.spawn(deis_runtime::serve(listener, router, Shutdown::new()));
        Self { book, address, _runtime: runtime }
    }

    /// Writes one more route, or another in place of the last one of the same app.
    pub(super) fn change(&self, route: AppRoute) {
        let mut routes = self.book.lock();
        routes.push(route);
        self.book.generation.send_replace(routes.len() as u64);
    }
}

impl Book {
    fn news(&self, request: &RoutesRequest) -> RoutesResponse {
        let routes = self.lock();
        let full = request.epoch != EPOCH;
        let known = if full { 0 } else { usize::try_from(request.applied).expect("it counts routes") };
        RoutesResponse {
            epoch: EPOCH.to_owned(),
            generation: routes.len() as u64,
            full,
            routes: routes[known.min(routes.len())..].to_vec(),
            removed: Vec::new(),
            platform: self.platform.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AppRoute>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const EPOCH: &str = "bench";

async fn answer(State(book): State<Arc<Book>>, Json(request): Json<RoutesRequest>) -> Json<RoutesResponse> {
    if request.epoch == EPOCH {
        let mut newest = book.generation.subscribe();
        let news = newest.wait_for(|newest| *newest > request.applied);
        // Without news the router hears the same again.
        let _ = tokio::time::timeout(if request.hold { HOLD } else { Duration::ZERO }, news).await;
    }
    Json(book.news(&request))
}
