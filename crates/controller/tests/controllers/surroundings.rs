//! Who calls controllers: a publisher that finds every running container ready, and a router that notes what it loses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_api::internal::{EndpointReport, PlatformRoutes, ReportedEndpoint, RoutesRequest, RoutesResponse};
use deis_model::{AppId, AppRoute, ContainerState, ContainerStatus};
use deis_runtime::Shutdown;
use deis_scheduler::Engine;

/// How often the publisher looks, and the router asks again where nobody answers.
const LOOK: Duration = Duration::from_millis(20);

/// What the router knows.
#[derive(Clone, Default)]
pub(crate) struct Table {
    shared: Arc<Mutex<Routes>>,
}

#[derive(Default)]
struct Routes {
    epoch: String,
    generation: u64,
    apps: BTreeMap<AppId, AppRoute>,
    platform: PlatformRoutes,
    lost: BTreeSet<AppId>,
}

/// Reports what runs on the host `here`, until `shutdown`.
pub(crate) fn publish(engine: Engine, controllers: InternalClient, shutdown: Shutdown) {
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            let containers = engine.scheduler.observe(None).await.unwrap();
            let endpoints = containers.into_iter().filter_map(ready).collect();
            let report =
                EndpointReport { lease_seconds: 60, revision: String::new(), endpoints: Some(endpoints) };
            // While nobody leads, nobody takes it.
            let _ = controllers.report_endpoints("here", &report).await;
            tokio::time::sleep(LOOK).await;
        }
    }));
}

fn ready(container: ContainerStatus) -> Option<ReportedEndpoint> {
    let address = container.address.filter(|_| container.state == ContainerState::Up)?;
    let (container, id) = (container.name, container.id);
    Some(ReportedEndpoint { container, id, address, ready: true, reason: None })
}

/// Follows the routes, until `shutdown`.
pub(crate) fn route(controllers: InternalClient, shutdown: Shutdown) -> Table {
    let table = Table::default();
    let following = table.clone();
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            match controllers.routes(&following.request()).await {
                Ok(news) => following.take(news),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }));
    table
}

impl Table {
    /// The incarnation of the controllers' table.
    pub(crate) fn epoch(&self) -> String {
        self.shared.lock().unwrap().epoch.clone()
    }

    /// The route of the app `blog`.
    pub(crate) fn blog(&self) -> Option<AppRoute> {
        let routes = self.shared.lock().unwrap();
        routes.apps.values().find(|route| route.app.as_str() == "blog").cloned()
    }

    /// What is told beside routes.
    pub(crate) fn platform(&self) -> PlatformRoutes {
        self.shared.lock().unwrap().platform.clone()
    }

    /// Containers that get requests.
    pub(crate) fn containers(&self) -> Vec<String> {
        let routes = self.shared.lock().unwrap();
        let endpoints = routes.apps.values().flat_map(|route| &route.endpoints);
        endpoints.map(|endpoint| endpoint.container.to_string()).collect()
    }

    /// Apps that had endpoints and at some moment no more.
    pub(crate) fn lost(&self) -> BTreeSet<AppId> {
        self.shared.lock().unwrap().lost.clone()
    }

    fn request(&self) -> RoutesRequest {
        let routes = self.shared.lock().unwrap();
        RoutesRequest {
            router: "router".to_owned(),
            epoch: routes.epoch.clone(),
            applied: routes.generation,
            drained: routes.generation,
            draining: Some(Vec::new()),
            hold: true,
        }
    }

    fn take(&self, news: RoutesResponse) {
        let mut routes = self.shared.lock().unwrap();
        let served = |route: &AppRoute| !route.endpoints.is_empty();
        let before: BTreeSet<AppId> =
            routes.apps.values().filter(|route| served(route)).map(|route| route.app.clone()).collect();
        if news.full {
            routes.apps.clear();
        }
        routes.apps.retain(|app, _| !news.removed.contains(app));
        routes.apps.extend(news.routes.into_iter().map(|route| (route.app.clone(), route)));
        let lost = before.into_iter().filter(|app| !routes.apps.get(app).is_some_and(served));
        let lost: Vec<AppId> = lost.collect();
        routes.lost.extend(lost);
        (routes.epoch, routes.generation) = (news.epoch, news.generation);
        routes.platform = news.platform;
    }
}
