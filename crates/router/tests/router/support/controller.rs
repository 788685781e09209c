//! A controller that hands out whatever routes a test sets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use deis_api::internal::{PlatformRoutes, RoutesRequest, RoutesResponse};
use deis_model::{AppId, AppRoute, ContainerName, Endpoint, ReleaseVersion};
use deis_runtime::{Identity, Shutdown, serve_as};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A controller that hands out whatever routes a test sets. Ends when dropped.
pub(crate) struct Controller {
    inner: Arc<Inner>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

struct Inner {
    table: Mutex<Table>,
    changed: watch::Sender<u64>,
    /// Every request so far, in order.
    asked: watch::Sender<Vec<RoutesRequest>>,
}

struct Table {
    epoch: String,
    generation: u64,
    /// By app, with the generation that changed it last.
    routes: BTreeMap<AppId, (u64, AppRoute)>,
    /// Apps that are gone, and since which generation.
    removed: Vec<(u64, AppId)>,
    platform: PlatformRoutes,
}

impl Controller {
    pub(crate) async fn start() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), "first", 1).await
    }

    /// A controller at a given address, with an empty table.
    pub(crate) async fn at(address: SocketAddr, epoch: &str, generation: u64) -> Self {
        let (listener, inner, router) = Self::open(address, epoch, generation).await;
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(super::serve::serve(listener, router, Arc::default()));
        Self { inner, address, serving }
    }

    /// A controller that is reached over mutual TLS.
    pub(crate) async fn secured(identity: &Identity) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listener, inner, router) = Self::open(any, "first", 1).await;
        let (address, identity) = (listener.local_addr().unwrap(), identity.clone());
        let serving = tokio::spawn(async move {
            serve_as(Some(&identity), listener, router, Shutdown::new()).await.unwrap();
        });
        Self { inner, address, serving }
    }

    async fn open(
        address: SocketAddr,
        epoch: &str,
        generation: u64,
    ) -> (TcpListener, Arc<Inner>, axum::Router) {
        let listener = TcpListener::bind(address).await.unwrap();
        let table = Table {
            epoch: epoch.to_owned(),
            generation,
            routes: BTreeMap::new(),
            removed: Vec::new(),
            platform: PlatformRoutes::default(),
        };
        let inner = Arc::new(Inner {
            table: Mutex::new(table),
            changed: watch::Sender::new(generation),
            asked: watch::Sender::new(Vec::new()),
        });
        let router =
            axum::Router::new().route("/internal/routes", post(answer)).with_state(Arc::clone(&inner));
        (listener, inner, router)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Routes `<app>.example.com` to containers `web.1 …` of `release` at `addresses`; the new generation.
    pub(crate) fn route(&self, app: &str, release: u32, addresses: &[SocketAddr]) -> u64 {
        self.route_all(&[app], release, addresses)
    }

    /// The same for several apps at once, whose containers share the addresses.
    pub(crate) fn route_all(&self, apps: &[&str], release: u32, addresses: &[SocketAddr]) -> u64 {
        let routes: Vec<AppRoute> = apps.iter().map(|app| route(app, release, addresses)).collect();
        self.change(|table| {
            let generation = table.generation;
            table.routes.extend(routes.into_iter().map(|route| (route.app.clone(), (generation, route))));
        })
    }

    /// Takes the route of `app` away; the new generation.
    pub(crate) fn remove(&self, app: &str) -> u64 {
        let app = AppId::parse(app).unwrap();
        self.change(|table| {
            table.routes.remove(&app);
            table.removed.push((table.generation, app));
        })
    }

    /// Sets the platform's own routes; the new generation.
    pub(crate) fn platform(&self, platform: PlatformRoutes) -> u64 {
        self.change(|table| table.platform = platform)
    }

    /// Changes what is known of an app that is routed already; the new generation.
    pub(crate) fn reroute(&self, app: &str, reroute: impl FnOnce(&mut AppRoute)) -> u64 {
        let app = AppId::parse(app).unwrap();
        self.change(|table| {
            let (changed, route) = table.routes.get_mut(&app).unwrap();
            *changed = table.generation;
            reroute(route);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Table)) -> u64 {
        let generation = {
            let mut table = self.inner.table.lock().unwrap();
            table.generation += 1;
            change(&mut table);
            table.generation
        };
        self.inner.changed.send_replace(generation);
        generation
    }

    /// Waits until a router has acknowledged `generation`.
    pub(crate) async fn applied(&self, generation: u64) {
        self.asked(|request| request.applied >= generation).await;
    }

    /// Waits until a router has reported that `generation` drained.
    pub(crate) async fn drained(&self, generation: u64) -> RoutesRequest {
        self.asked(|request| request.drained >= generation).await
    }

    /// What routers have asked so far.
    pub(crate) fn requests(&self) -> Vec<RoutesRequest> {
        self.inner.asked.borrow().clone()
    }

    async fn asked(&self, condition: impl Fn(&RoutesRequest) -> bool) -> RoutesRequest {
        let mut asked = self.inner.asked.subscribe();
        let found = asked.wait_for(|requests| requests.iter().any(&condition));
        let requests =
            tokio::time::timeout(super::PATIENCE, found).await.expect("a router asks in time").unwrap();
        requests.iter().find(|request| condition(request)).unwrap().clone()
    }

    /// Ends it with all its connections.
    pub(crate) async fn cut(&self) {
        self.serving.abort();
        super::until(|| self.serving.is_finished()).await;
    }
}

fn route(app: &str, release: u32, addresses: &[SocketAddr]) -> AppRoute {
    let endpoint = |(number, address): (usize, &SocketAddr)| Endpoint {
        container: ContainerName::parse(&format!("{app}_v{release}.web.{}", number + 1)).unwrap(),
        address: *address,
    };
    AppRoute {
        hosts: vec![format!("{app}.example.com"), format!("www.{app}.test")],
        release: ReleaseVersion::new(release),
        endpoints: addresses.iter().enumerate().map(endpoint).collect(),
        ..AppRoute::new(AppId::parse(app).unwrap())
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    headers: HeaderMap,
    Json(request): Json<RoutesRequest>,
) -> Json<RoutesResponse> {
    assert_eq!(headers["authorization"], "Bearer test key");
    inner.asked.send_modify(|asked| asked.push(request.clone()));
    let is_known = request.epoch == inner.table.lock().unwrap().epoch;
    if is_known && request.hold {
        let mut changed = inner.changed.subscribe();
        let news = changed.wait_for(|generation| *generation > request.applied);
        let _ = tokio::time::timeout(Duration::from_secs(20), news).await;
    }
    let table = inner.table.lock().unwrap();
    let is_wanted =
        |(changed, route): &(u64, AppRoute)| (!is_known || *changed > request.applied).then(|| route.clone());
    Json(RoutesResponse {
        epoch: table.epoch.clone(),
        generation: table.generation,
        full: !is_known,
        routes: table.routes.values().filter_map(is_wanted).collect(),
        removed: table
            .removed
            .iter()
            .filter(|(since, _)| *since > request.applied)
            .map(|(_, app)| app.clone())
            .collect(),
        platform: table.platform.clone(),
    })
}
