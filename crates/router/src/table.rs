//! The table that requests are looked up in: immutable, replaced as a whole.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::Notify;

use deis_model::{AppId, AppRoute, ContainerName};

use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::routes::Routes;

/// What answers for a set of hosts: an app, or the controllers.
pub(crate) struct Service {
    /// Where; may be empty.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

/// Which service answers for which host.
#[derive(Default)]
pub(crate) struct Table {
    /// The generation of the routes it was built from.
    pub(crate) generation: u64,
    /// Builders' SSH servers.
    pub(crate) builders: Vec<SocketAddr>,
    hosts: HashMap<Box<str>, Arc<Service>>,
    apps: HashMap<AppId, Arc<Service>>,
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

    /// Every endpoint in it.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.apps.values().chain(&self.controllers).flat_map(|service| &service.endpoints)
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
        }
    }

    /// The table for `routes`. Endpoints that `previous` already had go on with their connections and counts.
    pub(crate) fn build(&self, routes: &Routes, previous: &Table) -> Table {
        let mut table = Table {
            generation: routes.generation,
            builders: routes.platform.builders.clone(),
            hosts: HashMap::with_capacity(routes.apps.len() * 2),
            apps: HashMap::with_capacity(routes.apps.len()),
            controllers: None,
        };
        for route in routes.apps.values() {
            let service = self.app(route, previous.apps.get(&route.app));
            table.name(&route.hosts, &service);
            table.apps.insert(route.app.clone(), service);
        }
        // Last, so that no app can take the API's place.
        let controllers = routes.platform.controllers.iter().map(|address| (*address, None));
        let service = self.service(controllers, self.controller_patience, previous.controllers.as_ref());
        table.name(&routes.platform.controller_hosts, &service);
        table.controllers = Some(service);
        table
    }

    fn app(&self, route: &AppRoute, previous: Option<&Arc<Service>>) -> Arc<Service> {
        let endpoints = route.endpoints.iter().map(|endpoint| (endpoint.address, Some(&endpoint.container)));
        self.service(endpoints, self.app_patience, previous)
    }

    fn service<'a>(
        &self,
        wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)> + Clone,
        patience: Duration,
        previous: Option<&Arc<Service>>,
    ) -> Arc<Service> {
        if let Some(previous) = previous.filter(|previous| previous.is(wanted.clone())) {
            return Arc::clone(previous);
        }
        let known = |address, container| {
            previous?.endpoints.iter().find(|endpoint| endpoint.is(address, container)).cloned()
        };
        let endpoints = wanted.map(|(address, container)| {
            known(address, container).unwrap_or_else(|| self.endpoint(address, container))
        });
        Arc::new(Service { endpoints: endpoints.collect(), patience })
    }

    fn endpoint(&self, address: SocketAddr, container: Option<&ContainerName>) -> Arc<Endpoint> {
        let tls = if container.is_none() { self.controller_tls.clone() } else { None };
        let drained = Arc::clone(&self.drained);
        Arc::new(Endpoint::new(address, container.cloned(), self.idle_links, drained).secured(tls))
    }
}

impl Table {
    fn name(&mut self, hosts: &[String], service: &Arc<Service>) {
        for host in hosts {
            self.hosts.insert(host.to_ascii_lowercase().into_boxed_str(), Arc::clone(service));
        }
    }
}

impl Service {
    /// Whether its endpoints are exactly these, in this order.
    fn is<'a>(&self, wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)>) -> bool {
        self.endpoints.len() == wanted.len()
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
mod tests {
    use super::*;
    use deis_model::Endpoint as RoutedEndpoint;

    fn maker() -> Maker {
        Maker::new(&Config::new("key", "/nowhere"), Arc::default())
    }

    /// Routes of one app, `blog`, to containers given as `v2.web.1@5001`.
    fn routes(containers: &[&str]) -> Routes {
        let endpoint = |text: &&str| {
            let (container, port) = text.split_once('@').unwrap();
            let container = ContainerName::parse(&format!("blog_{container}")).unwrap();
            RoutedEndpoint { container, address: ([127, 0, 0, 1], port.parse::<u16>().unwrap()).into() }
        };
        let app = AppId::parse("blog").unwrap();
        let route = AppRoute {
            app: app.clone(),
            hosts: vec!["blog.example.com".to_owned(), "WWW.example.org".to_owned()],
            release: None,
            endpoints: containers.iter().map(endpoint).collect(),
        };
        Routes { apps: [(app, route)].into(), ..Routes::default() }
    }

    #[test]
    fn every_name_of_an_app_leads_to_it_and_no_other() {
        let table = maker().build(&routes(&["v2.web.1@5001"]), &Table::default());
        assert_eq!(table.find("blog.example.com").unwrap().endpoints.len(), 1);
        assert!(table.find("www.example.org").is_some());
        assert!(table.find("blog.example.org").is_none());
    }

    #[test]
    fn the_platforms_own_names_cannot_be_taken() {
        let mut routes = routes(&["v2.web.1@5001"]);
        routes.platform.controller_hosts = vec!["blog.example.com".to_owned()];
        routes.platform.controllers = vec![([127, 0, 0, 1], 8000).into()];
        let table = maker().build(&routes, &Table::default());
        assert_eq!(table.find("blog.example.com").unwrap().endpoints[0].address.port(), 8000);
    }

    #[test]
    fn endpoints_that_stay_keep_their_connections_and_counts() {
        let first = maker().build(&routes(&["v2.web.1@5001", "v2.web.2@5002"]), &Table::default());
        let second = maker().build(&routes(&["v2.web.2@5002", "v2.web.3@5003"]), &first);
        let of = |table: &Table, index: usize| {
            Arc::clone(&table.find("blog.example.com").unwrap().endpoints[index])
        };
        assert!(Arc::ptr_eq(&of(&first, 1), &of(&second, 0)));
        let left: Vec<_> = first.left_by(&second).iter().map(|endpoint| endpoint.address.port()).collect();
        assert_eq!(left, [5001]);
    }

    #[test]
    fn another_container_at_the_same_address_is_another_endpoint() {
        let first = maker().build(&routes(&["v2.web.1@5001"]), &Table::default());
        let second = maker().build(&routes(&["v3.web.1@5001"]), &first);
        assert_eq!(first.left_by(&second).len(), 1);
    }
}
