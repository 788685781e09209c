//! What is routable: what is wanted, met with what publishers report, and written into the route book.
//!
//! What an app's route was last made from is kept, so that routes follow the reports while nobody can say anew what is
//! wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use deis_api::internal::ReportedEndpoint;
use deis_model::{AppId, AppRoute, ContainerName, Desired, WorkloadId, canary, intent};

use super::{Reports, RouteBook};

/// The routes of all apps, and what they are made from.
pub struct Routing {
    /// Told to routers.
    pub book: Arc<RouteBook>,
    /// Heard from publishers.
    pub reports: Arc<Reports>,
    sources: Mutex<BTreeMap<AppId, Source>>,
}

/// What an app's route is made from, reports aside.
pub struct Source {
    /// The route, still without endpoints.
    route: AppRoute,
    /// The highest number that gets traffic, of each workload that does.
    replicas: BTreeMap<WorkloadId, u32>,
    /// How many containers of the canary its part of the requests is for.
    canaries: u32,
    /// Containers on their way out.
    withheld: BTreeSet<ContainerName>,
}

impl Source {
    /// The route to the deployed release of `desired`, and to one that is tried out, on a platform at `domain`; with
    /// `surge` extra containers of each workload and without those that are `withheld`.
    pub fn new(
        desired: &Desired,
        domain: &str,
        surge: impl Fn(&WorkloadId) -> u32,
        withheld: BTreeSet<ContainerName>,
    ) -> Self {
        let route = intent::route(desired, domain, Vec::new());
        let (deployed, canary) = (intent::routable(desired), canary::routable(desired));
        let canaries = canary.values().sum();
        let tried = route.canary.as_ref().map(|canary| canary.release);
        let mut replicas = BTreeMap::new();
        for (release, formation) in [(route.release, deployed), (tried, canary)] {
            let Some(release) = release else { continue };
            for (process, wanted) in formation {
                let id = WorkloadId { app: desired.app.clone(), release, process };
                let extra = surge(&id);
                replicas.insert(id, wanted + extra);
            }
        }
        Self { replicas, canaries, withheld, route }
    }

    fn wants(&self, endpoint: &ReportedEndpoint) -> bool {
        let name = &endpoint.container;
        self.replicas.get(&name.workload).is_some_and(|highest| name.number <= *highest)
            && !self.withheld.contains(name)
    }

    /// The route with its endpoints, as far as `reports` go.
    fn complete(&self, reports: &Reports) -> AppRoute {
        let mut route = self.route.clone();
        let release = route.release;
        let serves = |found: &ContainerName| Some(found.workload.release) == release;
        route.endpoints = reports
            .ready_endpoints(&route.app, |endpoint| serves(&endpoint.container) && self.wants(endpoint));
        if let Some(canary) = &mut route.canary {
            // Of all together: a canary whose host is silent gets nothing as long as anything else is heard of.
            let mut all = reports.ready_endpoints(&route.app, |endpoint| self.wants(endpoint));
            all.retain(|endpoint| !serves(&endpoint.container));
            canary.endpoints = all;
            let weight = canary::weight(&route.settings);
            let share = canary::share(weight, canary.endpoints.len(), self.canaries);
            route.settings.insert(canary::SETTING.to_owned(), share.to_string());
        }
        route
    }
}

impl Routing {
    /// Routes of nothing, in `book`.
    pub fn new(book: RouteBook) -> Self {
        Self { book: Arc::new(book), reports: Arc::default(), sources: Mutex::default() }
    }

    /// Writes an app's route. The generation from which it is in force.
    pub fn publish(&self, source: Source) -> u64 {
        let mut sources = self.lock();
        let generation = self.write(&source);
        sources.insert(source.route.app.clone(), source);
        generation
    }

    /// Writes an app's route again, by newer reports.
    pub fn republish(&self, app: &AppId) {
        if let Some(source) = self.lock().get(app) {
            self.write(source);
        }
    }

    /// Takes an app out.
    pub fn withdraw(&self, app: &AppId) {
        self.lock().remove(app);
        self.book.withdraw(app);
    }

    /// The apps that have routes.
    pub fn apps(&self) -> BTreeSet<AppId> {
        self.lock().keys().cloned().collect()
    }

    fn write(&self, source: &Source) -> u64 {
        self.book.publish(source.complete(&self.reports))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AppId, Source>> {
        self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
