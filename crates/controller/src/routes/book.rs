//! The route book: every app's route under a generation, and how far each router has followed.

mod router;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use deis_api::internal::{PlatformRoutes, RoutesRequest, RoutesResponse};
use deis_model::{AppId, AppRoute, ContainerName};
use tokio::sync::watch;

use router::RouterState;

/// How long after a controller's start routers that it does not know of yet may still come back to it.
pub const ROUTER_GRACE: Duration = Duration::from_secs(5);

/// Routes of all apps. A change raises the generation; routers acknowledge generations.
pub struct RouteBook {
    epoch: String,
    grace: Duration,
    pages: Mutex<Pages>,
    /// Rises with every change of routes or of what routers have acknowledged.
    changes: watch::Sender<u64>,
}

struct Pages {
    opened: Option<Instant>,
    generation: u64,
    platform: PlatformRoutes,
    /// The generation in which `platform` last changed.
    platform_generation: u64,
    apps: BTreeMap<AppId, Page>,
    /// The apps by the generation in which they last changed.
    order: BTreeMap<u64, AppId>,
    routers: BTreeMap<String, RouterState>,
}

/// An app's route, or none once the app is gone, and when that last changed.
struct Page {
    route: Option<AppRoute>,
    generation: u64,
}

impl RouteBook {
    /// An empty book, closed: routers get no answer before [`RouteBook::open`], so that a controller that has
    /// not yet heard of what runs withdraws nothing. Routers may take `grace` from then on to come back.
    pub fn new(epoch: String, platform: PlatformRoutes, grace: Duration) -> Self {
        let (apps, order, routers) = Default::default();
        let (generation, platform_generation) = (1, 1);
        let pages = Pages { opened: None, generation, platform, platform_generation, apps, order, routers };
        Self { epoch, grace, pages: Mutex::new(pages), changes: watch::channel(0).0 }
    }

    /// From now on routers are answered.
    pub fn open(&self) {
        self.lock().opened.get_or_insert_with(Instant::now);
        self.announce();
    }

    /// Writes an app's route. The generation from which it is in force.
    pub fn publish(&self, route: AppRoute) -> u64 {
        self.write(&route.app.clone(), Some(route))
    }

    /// Takes an app out. The generation from which it is gone.
    pub fn withdraw(&self, app: &AppId) -> u64 {
        self.write(app, None)
    }

    fn write(&self, app: &AppId, route: Option<AppRoute>) -> u64 {
        let mut pages = self.lock();
        match pages.apps.get(app) {
            Some(page) if page.route == route => return page.generation,
            None if route.is_none() => return pages.generation,
            _ => {}
        }
        pages.generation += 1;
        let generation = pages.generation;
        if let Some(before) = pages.apps.insert(app.clone(), Page { route, generation }) {
            pages.order.remove(&before.generation);
        }
        pages.order.insert(generation, app.clone());
        drop(pages);
        self.announce();
        generation
    }

    /// Changes what routers are told beside the routes of apps. The generation from which it is in force.
    pub fn change_platform(&self, change: impl FnOnce(&mut PlatformRoutes)) -> u64 {
        let mut pages = self.lock();
        let mut platform = pages.platform.clone();
        change(&mut platform);
        if platform == pages.platform {
            return pages.platform_generation;
        }
        pages.generation += 1;
        pages.platform = platform;
        pages.platform_generation = pages.generation;
        let generation = pages.generation;
        drop(pages);
        self.announce();
        generation
    }

    /// The newest generation.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Whether every live router serves by `generation` or a later one.
    pub fn is_applied(&self, generation: u64) -> bool {
        let pages = self.lock();
        (pages.knows_a_router() || pages.has_been_open_for(self.grace))
            && pages.all_routers(|router| router.has_applied(generation))
    }

    /// Whether no live router has a request under way to `container`, which had left by `generation`.
    pub fn is_drained(&self, container: &ContainerName, generation: u64) -> bool {
        let pages = self.lock();
        pages.has_been_open_for(self.grace)
            && pages.all_routers(|router| router.has_drained(container, generation))
    }

    /// Waits until every live router serves by `generation`, at most for `timeout`. Whether they do.
    pub async fn await_applied(&self, generation: u64, timeout: Duration) -> bool {
        let mut changes = self.changes.subscribe();
        let applied = async {
            while !self.is_applied(generation) {
                // A router that vanishes announces nothing, so look again even without news.
                let _ = tokio::time::timeout(Duration::from_millis(500), changes.changed()).await;
            }
        };
        tokio::time::timeout(timeout, applied).await.is_ok()
    }

    /// Notes when routes or acknowledgements change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Notes what a router has and that it is there; it is live at least as long as the guard.
    pub fn note_router(&self, request: &RoutesRequest) -> RouterGuard<'_> {
        let mut pages = self.lock();
        let known = request.epoch == self.epoch;
        let router = pages.routers.entry(request.router.clone()).or_insert_with(RouterState::new);
        router.asks();
        if known {
            router.note(request);
        }
        drop(pages);
        self.announce();
        RouterGuard { book: self, router: request.router.clone() }
    }

    /// What is news to a router; none if there is nothing, or the book is not open yet.
    pub fn news(&self, request: &RoutesRequest) -> Option<RoutesResponse> {
        let pages = self.lock();
        let full = request.epoch != self.epoch || request.applied > pages.generation;
        if pages.opened.is_none() || (!full && request.applied == pages.generation) {
            return None;
        }
        let after = if full { 0 } else { request.applied };
        let newer = || pages.order.range(after + 1..).map(|(_, app)| app);
        let changed = || newer().filter_map(|app| Some((app, pages.apps.get(app)?)));
        Some(RoutesResponse {
            epoch: self.epoch.clone(),
            generation: pages.generation,
            full,
            routes: changed().filter_map(|(_, page)| page.route.clone()).collect(),
            removed: changed().filter(|(_, page)| page.route.is_none()).map(|(app, _)| app.clone()).collect(),
            platform: pages.platform.clone(),
        })
    }

    /// An answer without news, for a router that must not wait longer.
    pub fn nothing_new(&self) -> RoutesResponse {
        let pages = self.lock();
        RoutesResponse {
            epoch: self.epoch.clone(),
            generation: pages.generation,
            full: false,
            routes: Vec::new(),
            removed: Vec::new(),
            platform: pages.platform.clone(),
        }
    }

    /// Whether routers are answered.
    pub fn is_open(&self) -> bool {
        self.lock().opened.is_some()
    }

    fn announce(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Pages {
    fn all_routers(&self, holds: impl Fn(&RouterState) -> bool) -> bool {
        self.routers.values().filter(|router| router.is_live()).all(holds)
    }

    fn knows_a_router(&self) -> bool {
        self.opened.is_some() && self.routers.values().any(RouterState::is_live)
    }

    fn has_been_open_for(&self, time: Duration) -> bool {
        self.opened.is_some_and(|opened| opened.elapsed() >= time)
    }
}

/// A router's open request. Dropped when it is answered or the connection breaks.
pub struct RouterGuard<'a> {
    book: &'a RouteBook,
    router: String,
}

impl Drop for RouterGuard<'_> {
    fn drop(&mut self) {
        let mut pages = self.book.lock();
        if let Some(router) = pages.routers.get_mut(&self.router) {
            router.answered();
        }
        pages.routers.retain(|_, router| router.is_live());
    }
}

#[cfg(test)]
mod tests;
