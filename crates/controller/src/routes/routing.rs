//! What is routable: what is wanted, met with what publishers report, and written into the route book.
//!
//! What an app's route was last made from is kept, so that routes follow the reports while nobody can say anew what is
//! wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use deis_api::internal::ReportedEndpoint;
use deis_model::{AppId, AppRoute, ContainerName, Desired, ProcessType, intent};

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
    /// The highest number that gets traffic, of each type that does.
    replicas: BTreeMap<ProcessType, u32>,
    /// Containers on their way out.
    withheld: BTreeSet<ContainerName>,
}

impl Source {
    /// The route to the deployed release of `desired` on a platform at `domain`, with `surge` extra containers of each
    /// type and without those that are `withheld`.
    pub fn new(
        desired: &Desired,
        domain: &str,
        surge: impl Fn(&ProcessType) -> u32,
        withheld: BTreeSet<ContainerName>,
    ) -> Self {
        let replicas = intent::routable(desired).into_iter().map(|(process, replicas)| {
            let extra = surge(&process);
            (process, replicas + extra)
        });
        Self { route: intent::route(desired, domain, Vec::new()), replicas: replicas.collect(), withheld }
    }

    fn wants(&self, endpoint: &ReportedEndpoint) -> bool {
        let name = &endpoint.container;
        Some(name.workload.release) == self.route.release
            && self.replicas.get(&name.workload.process).is_some_and(|highest| name.number <= *highest)
            && !self.withheld.contains(name)
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
        let endpoints = self.reports.ready_endpoints(&source.route.app, |endpoint| source.wants(endpoint));
        self.book.publish(AppRoute { endpoints, ..source.route.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<AppId, Source>> {
        self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
