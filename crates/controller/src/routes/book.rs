//! The route book: every app's route under a generation, and how far each router has followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use deis_api::internal::{PlatformRoutes, RoutesRequest, RoutesResponse};
use deis_model::{AppId, AppRoute, ContainerName};
use tokio::sync::watch;

/// A router that holds no request and has not asked for this long is taken for gone; nobody waits for it.
const ROUTER_LEASE: Duration = Duration::from_secs(3);

/// How long after a controller's start routers that it does not know of yet may still come back to it.
pub const ROUTER_GRACE: Duration = Duration::from_secs(5);

/// Routes of all apps. A change raises the generation; routers acknowledge generations.
pub struct RouteBook {
    epoch: String,
    platform: PlatformRoutes,
    grace: Duration,
    pages: Mutex<Pages>,
    /// Rises with every change of routes or of what routers have acknowledged.
    changes: watch::Sender<u64>,
}

struct Pages {
    opened: Option<Instant>,
    generation: u64,
    apps: BTreeMap<AppId, Page>,
    routers: BTreeMap<String, RouterState>,
}

/// An app's route, or none once the app is gone, and when that last changed.
struct Page {
    route: Option<AppRoute>,
    generation: u64,
}

struct RouterState {
    applied: u64,
    drained: u64,
    /// Containers that had left by `applied` with requests under way; none if the router could not list them.
    draining: Option<BTreeSet<ContainerName>>,
    asking: u32,
    last_asked: Instant,
}

impl RouteBook {
    /// An empty book, closed: routers get no answer before [`RouteBook::open`], so that a controller that has
    /// not yet heard of what runs withdraws nothing. Routers may take `grace` from then on to come back.
    pub fn new(epoch: String, platform: PlatformRoutes, grace: Duration) -> Self {
        let pages = Pages { opened: None, generation: 1, apps: BTreeMap::new(), routers: BTreeMap::new() };
        Self { epoch, platform, grace, pages: Mutex::new(pages), changes: watch::channel(0).0 }
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
        pages.apps.insert(app.clone(), Page { route, generation });
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
            && pages.all_routers(|router| router.applied >= generation)
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
        router.asking += 1;
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
        let changed = || pages.apps.iter().filter(|(_, page)| page.generation > after);
        Some(RoutesResponse {
            epoch: self.epoch.clone(),
            generation: pages.generation,
            full,
            routes: changed().filter_map(|(_, page)| page.route.clone()).collect(),
            removed: changed().filter(|(_, page)| page.route.is_none()).map(|(app, _)| app.clone()).collect(),
            platform: self.platform.clone(),
        })
    }

    /// An answer without news, for a router that must not wait longer.
    pub fn nothing_new(&self) -> RoutesResponse {
        RoutesResponse {
            epoch: self.epoch.clone(),
            generation: self.generation(),
            full: false,
            routes: Vec::new(),
            removed: Vec::new(),
            platform: self.platform.clone(),
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

impl RouterState {
    fn new() -> Self {
        Self { applied: 0, drained: 0, draining: None, asking: 0, last_asked: Instant::now() }
    }

    /// Takes what the router says. It may ask twice at a time, and the older request arrive last.
    fn note(&mut self, request: &RoutesRequest) {
        let said = request.draining.as_ref().map(|names| names.iter().cloned().collect::<BTreeSet<_>>());
        self.draining = match (self.draining.take(), said) {
            (_, said) if request.applied > self.applied => said,
            (held, _) if request.applied < self.applied => held,
            // By one and the same table, containers only ever stop draining.
            (Some(held), Some(said)) => Some(&held & &said),
            (held, said) => held.or(said),
        };
        self.applied = self.applied.max(request.applied);
        self.drained = self.drained.max(request.drained);
    }

    fn has_drained(&self, container: &ContainerName, generation: u64) -> bool {
        let is_listed = |names: &BTreeSet<ContainerName>| names.contains(container);
        self.drained >= generation
            || (self.applied >= generation && self.draining.as_ref().is_some_and(|names| !is_listed(names)))
    }

    fn is_live(&self) -> bool {
        self.asking > 0 || self.last_asked.elapsed() < ROUTER_LEASE
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
            router.asking = router.asking.saturating_sub(1);
            router.last_asked = Instant::now();
        }
        pages.routers.retain(|_, router| router.is_live());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> RouteBook {
        RouteBook::new("e1".to_owned(), PlatformRoutes::default(), Duration::ZERO)
    }

    fn route(app: &str) -> AppRoute {
        AppRoute {
            app: AppId::parse(app).unwrap(),
            hosts: vec![format!("{app}.localhost")],
            release: None,
            endpoints: Vec::new(),
        }
    }

    fn ask(epoch: &str, applied: u64) -> RoutesRequest {
        RoutesRequest {
            router: "r".to_owned(),
            epoch: epoch.to_owned(),
            applied,
            drained: applied,
            draining: None,
            hold: true,
        }
    }

    fn web() -> ContainerName {
        ContainerName::parse("a_v1.web.1").unwrap()
    }

    #[test]
    fn a_closed_book_tells_nothing() {
        let book = book();
        book.publish(route("a"));
        assert!(book.news(&ask("", 0)).is_none());
    }

    #[test]
    fn a_router_gets_everything_first_and_then_what_changed() {
        let book = book();
        book.publish(route("a"));
        book.open();
        let first = book.news(&ask("", 0)).unwrap();
        assert!(first.full && first.routes.len() == 1);
        assert!(book.news(&ask("e1", first.generation)).is_none());
        book.publish(route("b"));
        book.withdraw(&AppId::parse("a").unwrap());
        let second = book.news(&ask("e1", first.generation)).unwrap();
        assert_eq!((second.full, second.routes, second.removed.len()), (false, vec![route("b")], 1));
    }

    #[test]
    fn publishing_the_same_again_is_no_news() {
        let book = book();
        let first = book.publish(route("a"));
        assert_eq!(book.publish(route("a")), first);
        assert_eq!(book.generation(), first);
    }

    #[test]
    fn routers_that_may_still_come_back_are_waited_for() {
        let book = RouteBook::new("e1".to_owned(), PlatformRoutes::default(), ROUTER_GRACE);
        let generation = book.publish(route("a"));
        let is_drained = || book.is_drained(&web(), generation);
        assert!(!book.is_applied(generation) && !is_drained(), "the book is closed");
        book.open();
        assert!(!book.is_applied(generation) && !is_drained(), "no router has come back yet");
        let router = book.note_router(&ask("e1", generation));
        assert!(book.is_applied(generation), "this one serves by it");
        assert!(!is_drained(), "others may still send requests");
        drop(router);
    }

    #[test]
    fn a_generation_is_applied_when_every_live_router_says_so() {
        let book = book();
        book.open();
        let generation = book.publish(route("a"));
        assert!(book.is_applied(generation), "no router, nobody to wait for");
        let old = book.note_router(&ask("e1", generation - 1));
        assert!(!book.is_applied(generation));
        let new = book.note_router(&ask("e1", generation));
        assert!(book.is_applied(generation) && book.is_drained(&web(), generation));
        drop((old, new));
    }

    #[test]
    fn a_long_request_holds_back_only_its_own_container() {
        let book = book();
        book.open();
        let (before, generation) = (book.generation(), book.publish(route("a")));
        let other = ContainerName::parse("b_v1.web.1").unwrap();
        let says = |applied, draining: Option<&ContainerName>| RoutesRequest {
            drained: before,
            draining: Some(draining.into_iter().cloned().collect()),
            ..ask("e1", applied)
        };
        let early = book.note_router(&says(before, None));
        assert!(!book.is_drained(&web(), generation), "the router still sends requests there");
        let busy = book.note_router(&says(generation, Some(&other)));
        assert!(book.is_drained(&web(), generation) && !book.is_drained(&other, generation));
        let late = book.note_router(&says(before, None));
        assert!(!book.is_drained(&other, generation), "what it said of an older table counts no more");
        let done = book.note_router(&says(generation, None));
        let overtaken = book.note_router(&says(generation, Some(&other)));
        assert!(book.is_drained(&other, generation));
        drop((early, busy, late, done, overtaken));
    }
}
