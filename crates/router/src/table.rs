//! The table that requests are looked up in: immutable, replaced as a whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Notify;

use deis_model::routing::MeshSettings;
use deis_model::{AppId, AppRoute, ContainerName, ReleaseVersion};

use crate::challenge::Challenges;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::metrics::{Register, Tallies};
use crate::routes::Routes;
use crate::shards::Shards;
use crate::tls::{Cache, Certificates, PlatformCertificate};

/// What answers for a set of hosts: an app, or the controllers.
pub(crate) struct Service {
    /// Where; may be empty.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    /// What its requests are counted in.
    pub(crate) tallies: Tallies,
    /// What visitors over TLS are shown.
    pub(crate) certificates: Arc<Certificates>,
}

/// Which service answers for which host.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// The generation of the routes it was built from.
    pub(crate) generation: u64,
    /// Builders' SSH servers.
    pub(crate) builders: Vec<SocketAddr>,
    /// For hosts without a certificate of their own.
    pub(crate) platform_certificate: Arc<PlatformCertificate>,
    /// What certificate authorities ask for.
    pub(crate) challenges: Arc<Challenges>,
    hosts: Shards<Box<str>, Arc<Service>>,
    apps: Shards<AppId, Arc<Service>>,
    controllers: Option<Arc<Service>>,
}

/// What a table is built with.
pub(crate) struct Maker {
    /// Told when a retired endpoint's last request ended.
    pub(crate) drained: Arc<Notify>,
    /// Idle connections kept to each endpoint.
    pub(crate) idle_links: usize,
    /// How long apps may take to answer.
    pub(crate) app_patience: Duration,
    /// How long controllers may take to answer.
    pub(crate) controller_patience: Duration,
    /// What connections to controllers are secured by.
    pub(crate) controller_tls: Option<Arc<ClientConfig>>,
    /// Hands out what requests are counted in.
    pub(crate) register: Register,
    /// Certificates that have been read.
    pub(crate) cache: Cache,
}

impl Table {
    /// The service for `host`, which is in lower case and without port.
    pub(crate) fn find(&self, host: &str) -> Option<&Service> {
        self.hosts.get(host).map(Arc::as_ref)
    }

    /// Whether the controllers answer for `host`.
    pub(crate) fn is_platform(&self, host: &str) -> bool {
        let (found, controllers) = (self.hosts.get(host), self.controllers.as_ref());
        found.zip(controllers).is_some_and(|(found, controllers)| Arc::ptr_eq(found, controllers))
    }

    /// How many apps it holds.
    pub(crate) fn app_count(&self) -> usize {
        self.apps.len()
    }

    /// Every service in it.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.apps.values().chain(&self.controllers)
    }

    /// Every endpoint in it.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.services().flat_map(|service| &service.endpoints)
    }

    /// The endpoints of this table that are not in `next`: to be retired once `next` is in force.
    pub(crate) fn left_by(&self, next: &Self) -> Vec<Arc<Endpoint>> {
        let apps = self.apps.iter().map(|(app, service)| (service, next.apps.get(app)));
        let controllers = self.controllers.iter().map(|service| (service, next.controllers.as_ref()));
        apps.chain(controllers).flat_map(|(before, after)| left(before, after)).collect()
    }
}

impl Maker {
    /// What `config` says.
    pub(crate) fn new(config: &Config, drained: Arc<Notify>) -> Self {
        Self {
            drained,
            idle_links: config.limits.idle_links,
            app_patience: config.timeouts.answer,
            controller_patience: config.timeouts.controller_answer,
            controller_tls: config.controllers.tls().cloned(),
            register: Register::new(true),
            cache: Cache::default(),
        }
    }

    /// The table for `routes`. Endpoints that `previous` already had go on with their connections and counts.
    pub(crate) fn build(&self, routes: &Routes, previous: &Table) -> Table {
        let platform = &routes.platform;
        let (mesh, _) = MeshSettings::default().with(&platform.settings);
        let mut table = Table {
            generation: routes.generation,
            builders: platform.builders.clone(),
            platform_certificate: PlatformCertificate::of(
                mesh.tls.certificate,
                &previous.platform_certificate,
                &self.cache,
            ),
            challenges: Challenges::of(&platform.challenges, &previous.challenges),
            ..Table::default()
        };
        for route in routes.apps.values() {
            let service = self.app(route, previous.apps.get(&route.app));
            table.name(&route.hosts, &service);
            table.apps.insert(route.app.clone(), service);
        }
        // Last, so that no app can take the API's place.
        let controllers = platform.controllers.iter().map(|address| (*address, None));
        let previous = previous.controllers.as_ref();
        let certificates = previous.map(|previous| Arc::clone(&previous.certificates)).unwrap_or_default();
        let service = self.service(None, controllers, self.controller_patience, certificates, previous);
        table.name(&platform.controller_hosts, &service);
        table.controllers = Some(service);
        table
    }

    /// The table for `routes`, which differ from those of `previous` in the endpoints of `apps` only; and the endpoints
    /// that are not in it any more.
    pub(crate) fn update(
        &self,
        routes: &Routes,
        previous: &Table,
        apps: &[AppId],
    ) -> (Table, Vec<Arc<Endpoint>>) {
        let mut table = Table { generation: routes.generation, ..previous.clone() };
        let mut retired = Vec::new();
        for route in apps.iter().filter_map(|app| routes.apps.get(app)) {
            let Some(before) = previous.apps.get(&route.app) else { continue };
            let after = self.app(route, Some(before));
            retired.extend(left(before, Some(&after)));
            table.replace(&route.hosts, before, &after);
            table.apps.insert(route.app.clone(), after);
        }
        (table, retired)
    }

    fn app(&self, route: &Arc<AppRoute>, previous: Option<&Arc<Service>>) -> Arc<Service> {
        let endpoints = route.endpoints.iter().map(|endpoint| (endpoint.address, Some(&endpoint.container)));
        let certificates = previous.map(|previous| &previous.certificates);
        let certificates = Certificates::of(route, certificates, &self.cache);
        self.service(Some(route), endpoints, self.app_patience, certificates, previous)
    }

    fn service<'a>(
        &self,
        route: Option<&AppRoute>,
        wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)> + Clone,
        patience: Duration,
        certificates: Arc<Certificates>,
        previous: Option<&Arc<Service>>,
    ) -> Arc<Service> {
        let release = route.and_then(|route| route.release);
        let is_same = |previous: &&Arc<Service>| {
            previous.is(release, wanted.clone()) && Arc::ptr_eq(&previous.certificates, &certificates)
        };
        if let Some(previous) = previous.filter(is_same) {
            return Arc::clone(previous);
        }
        let serving = wanted.clone().filter_map(|(_, container)| Some(container?.workload.release));
        let before = previous.map(|previous| &previous.tallies);
        let tallies = self.register.tallies(route.map(|route| &route.app), release, serving, before);
        let known = |address, container| {
            previous?.endpoints.iter().find(|endpoint| endpoint.is(address, container)).cloned()
        };
        let endpoints = wanted.map(|(address, container)| {
            known(address, container).unwrap_or_else(|| self.endpoint(address, container, &tallies))
        });
        Arc::new(Service::new(endpoints.collect(), patience, tallies).certified(certificates))
    }

    fn endpoint(
        &self,
        address: SocketAddr,
        container: Option<&ContainerName>,
        tallies: &Tallies,
    ) -> Arc<Endpoint> {
        let tally = tallies.of(container.map(|container| container.workload.release));
        let tls = if container.is_none() { self.controller_tls.clone() } else { None };
        let drained = Arc::clone(&self.drained);
        Arc::new(
            Endpoint::new(address, container.cloned(), self.idle_links, drained).secured(tls).counted(tally),
        )
    }
}

impl Table {
    fn name(&mut self, hosts: &[String], service: &Arc<Service>) {
        for host in hosts {
            self.hosts.insert(host.to_ascii_lowercase().into_boxed_str(), Arc::clone(service));
        }
    }

    /// Puts `after` wherever `before` answers for one of `hosts`; another may have taken the name.
    fn replace(&mut self, hosts: &[String], before: &Arc<Service>, after: &Arc<Service>) {
        for host in hosts {
            let host = host.to_ascii_lowercase().into_boxed_str();
            if self.hosts.get(&host).is_some_and(|found| Arc::ptr_eq(found, before)) {
                self.hosts.insert(host, Arc::clone(after));
            }
        }
    }
}

impl Service {
    /// One that answers at `endpoints`.
    pub(crate) fn new(endpoints: Vec<Arc<Endpoint>>, patience: Duration, tallies: Tallies) -> Self {
        Self { endpoints, patience, tallies, certificates: Arc::default() }
    }

    /// The same, with these to show.
    fn certified(self, certificates: Arc<Certificates>) -> Self {
        Self { certificates, ..self }
    }

    /// Whether it is of this release and its endpoints are exactly these, in this order.
    fn is<'a>(
        &self,
        release: Option<ReleaseVersion>,
        wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)>,
    ) -> bool {
        self.tallies.newest().release == release
            && self.endpoints.len() == wanted.len()
            && self.endpoints.iter().zip(wanted).all(|(endpoint, (address, name))| endpoint.is(address, name))
    }
}

fn left<'a>(
    before: &'a Arc<Service>,
    after: Option<&'a Arc<Service>>,
) -> impl Iterator<Item = Arc<Endpoint>> + 'a {
    let stays = move |endpoint: &Arc<Endpoint>| {
        after.is_some_and(|after| after.endpoints.iter().any(|other| Arc::ptr_eq(other, endpoint)))
    };
    before.endpoints.iter().filter(move |endpoint| !stays(endpoint)).cloned()
}

#[cfg(test)]
mod tests;
