//! Making tables: from nothing, or from the one before and what changed.

mod defaults;
mod group;

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::Notify;

use deis_api::internal::PlatformRoutes;
use deis_model::routing::{AppSettings, MeshSettings, SettingError};
use deis_model::{AppId, AppRoute, ContainerName};

use crate::affinity::Marker;
use crate::challenge::Challenges;
use crate::clock::Clock;
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::metrics::Tallies;
use crate::reserve::Reserve;
use crate::room::Room;
use crate::routes::{Changes, Routes};
use crate::rules::Gate;
use crate::service::Service;
use crate::table::Table;
use crate::tls::{Cache, Certificates, PlatformCertificate};

use defaults::defaults;
use group::Group;

/// What tables are made with.
pub(crate) struct Maker {
    /// What time it is.
    pub(crate) clock: Clock,
    /// Names endpoints.
    marker: Marker,
    /// Told when a retired endpoint's last request ended.
    drained: Arc<Notify>,
    /// Idle connections kept to each endpoint.
    idle_links: usize,
    /// What all endpoints share to keep them in.
    pub(crate) room: Arc<Room>,
    /// What holds for the mesh where nobody has set anything.
    defaults: MeshSettings,
    /// Certificates that have been read.
    cache: Cache,
    /// What connections to controllers are secured by.
    controller_tls: Option<Arc<ClientConfig>>,
}

impl Maker {
    /// What `config` says.
    pub(crate) fn new(config: &Config, drained: Arc<Notify>) -> Self {
        Self {
            clock: Clock::start(),
            marker: Marker::new(&config.internal_key),
            drained,
            idle_links: config.limits.idle_links,
            room: Room::new(config.limits.idle_links_total, config.cores).into(),
            defaults: defaults(config),
            cache: Cache::default(),
            controller_tls: config.controllers.tls().cloned(),
        }
    }

    /// The table for `routes`. Endpoints that `previous` already had go on with their connections and counts.
    pub(crate) fn build(&self, routes: &Routes, previous: &Table) -> Table {
        let mut table = Table { generation: routes.generation, ..Table::default() };
        self.take_settings(&mut table, &routes.platform, previous);
        for route in routes.apps.values() {
            let service = self.app(&table, route, previous.apps.get(&route.app));
            route.hosts.iter().for_each(|host| table.names.claim(host, &service));
            note_passed_on(&mut table, &route.app, Some(&service));
            table.apps.insert(route.app.clone(), service);
        }
        self.take_platform(&mut table, &routes.platform, previous.controllers.as_ref());
        table
    }

    /// The table for `routes`, which differ from those of `previous` by `changes`; and the endpoints that are not in it
    /// any more. The same as if it were built, at a cost that grows with the changes and not with the table.
    pub(crate) fn update(
        &self,
        routes: &Routes,
        previous: &Table,
        changes: &Changes,
    ) -> (Table, Vec<Arc<Endpoint>>) {
        let mut table = Table { generation: routes.generation, ..previous.clone() };
        let mut left = Vec::new();
        if changes.platform {
            self.take_settings(&mut table, &routes.platform, previous);
            if !Arc::ptr_eq(&table.gate, &previous.gate) {
                // What holds for apps changed, and with it every service.
                let table = self.build(routes, previous);
                let left = previous.left_by(&table);
                return (table, left);
            }
            let before = previous.controllers.as_ref();
            if let Some(before) = before {
                previous.platform.controller_hosts.iter().for_each(|host| table.names.leave(host, before));
            }
            self.take_platform(&mut table, &routes.platform, before);
            left.extend(before.into_iter().flat_map(|before| before.left_by(table.controllers.as_ref())));
        }
        for app in &changes.apps {
            left.extend(self.take_app(&mut table, app, routes.apps.get(app)));
        }
        (table, left)
    }

    /// Puts what `route` says of `app` in place of what `table` has; none: the app is gone. What has left with that.
    fn take_app(&self, table: &mut Table, app: &AppId, route: Option<&Arc<AppRoute>>) -> Vec<Arc<Endpoint>> {
        let before = table.apps.get(app).cloned();
        let after = route.map(|route| self.app(table, route, before.as_ref()));
        let hosts = |service: &Option<Arc<Service>>| {
            service.as_ref().and_then(|service| service.route.as_ref()).map(|route| route.hosts.clone())
        };
        let (old, new) = (hosts(&before).unwrap_or_default(), hosts(&after).unwrap_or_default());
        if let Some(before) = &before {
            old.iter().filter(|host| !new.contains(host)).for_each(|host| table.names.leave(host, before));
        }
        note_passed_on(table, app, after.as_ref());
        match &after {
            Some(after) => {
                new.iter().for_each(|host| table.names.claim(host, after));
                table.apps.insert(app.clone(), Arc::clone(after));
            }
            None => _ = table.apps.remove(app),
        }
        before.iter().flat_map(|before| before.left_by(after.as_ref())).collect()
    }

    /// Puts the platform's own in place.
    fn take_platform(&self, table: &mut Table, platform: &PlatformRoutes, before: Option<&Arc<Service>>) {
        let is_same = before.is_some_and(|before| *before.rules == *table.mesh.controller);
        let gate = match before {
            Some(before) if is_same => Arc::clone(&before.gate),
            _ => Gate::new(&table.mesh.controller).into(),
        };
        let wanted = platform.controllers.iter().map(|address| (*address, None));
        let service = match before {
            Some(before) if is_same && before.is_at(wanted.clone()) => Arc::clone(before),
            _ => Arc::new(self.service(None, gate, wanted, before)),
        };
        platform.controller_hosts.iter().for_each(|host| table.names.claim(host, &service));
        table.platform = Arc::new(platform.clone());
        table.controllers = Some(service);
    }

    /// Puts what holds for all in place. Where it is the same as in `previous`, it stays what it was.
    fn take_settings(&self, table: &mut Table, platform: &PlatformRoutes, previous: &Table) {
        let (mut mesh, errors) = self.defaults.clone().with(&platform.settings);
        errors.iter().for_each(|error| warn(error, None));
        if *previous.gate.rules == *mesh.apps {
            mesh.apps = Arc::clone(&previous.gate.rules);
            table.gate = Arc::clone(&previous.gate);
        } else {
            table.gate = Gate::new(&mesh.apps).into();
        }
        let certificate = mesh.tls.certificate.clone();
        table.platform_certificate =
            PlatformCertificate::of(certificate, &previous.platform_certificate, &self.cache);
        table.challenges = Challenges::of(&platform.challenges, &previous.challenges);
        table.mesh = mesh.into();
    }

    fn app(&self, table: &Table, route: &Arc<AppRoute>, before: Option<&Arc<Service>>) -> Arc<Service> {
        let gate = self.gate(table, route, before);
        if let Some(before) = before.filter(|before| before.is_of(route, &gate)) {
            return Arc::clone(before);
        }
        let wanted = route.endpoints.iter().map(|endpoint| (endpoint.address, Some(&endpoint.container)));
        let certificates = Certificates::of(route, before.map(|before| &before.certificates), &self.cache);
        let service = self.service(Some(Arc::clone(route)), gate, wanted, before);
        Arc::new(service.certified(certificates))
    }

    /// The gate of an app; the one it had if its rules are the same, which goes on with what it knows.
    fn gate(&self, table: &Table, route: &AppRoute, before: Option<&Arc<Service>>) -> Arc<Gate> {
        if route.settings.is_empty() {
            return Arc::clone(&table.gate);
        }
        let (settings, errors) = AppSettings::read(&route.settings);
        errors.iter().for_each(|error| warn(error, Some(&route.app)));
        let rules = table.mesh.rules(&settings);
        match before.filter(|before| before.rules == rules) {
            Some(before) => Arc::clone(&before.gate),
            None => Gate::new(&rules).into(),
        }
    }

    fn service<'a>(
        &self,
        route: Option<Arc<AppRoute>>,
        gate: Arc<Gate>,
        wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)> + Clone,
        before: Option<&Arc<Service>>,
    ) -> Service {
        let canary = route.as_ref().and_then(|route| route.canary.clone());
        let canary = canary.map(|canary| (canary.endpoints, canary.health_check));
        let (tried, tried_check) = canary.unwrap_or_default();
        let check = route.as_ref().and_then(|route| route.health_check.clone());
        let serving = wanted.clone().filter_map(|(_, container)| Some(container?.workload.release));
        let serving = serving.chain(tried.iter().map(|endpoint| endpoint.container.workload.release));
        let (app, release) =
            (route.as_ref().map(|route| &route.app), route.as_ref().map(|route| route.release));
        let counted = before.map(|before| &before.tallies);
        let tallies = Tallies::new(app, release.flatten(), serving, counted);
        let make = Group {
            maker: self,
            before,
            tallies: &tallies,
            reserve: &before.map(reserve).unwrap_or_default(),
        };
        let (endpoints, canary) = (
            make.endpoints(wanted, check),
            make.endpoints(
                tried.iter().map(|endpoint| (endpoint.address, Some(&endpoint.container))),
                tried_check,
            ),
        );
        let reserve = Arc::clone(make.reserve);
        Service::new(route, gate, endpoints, tallies).trying(canary, reserve)
    }
}

fn reserve(service: &Arc<Service>) -> Arc<Reserve> {
    Arc::clone(&service.reserve)
}

/// Keeps `passed_on` true to what `app` is from now on.
fn note_passed_on(table: &mut Table, app: &AppId, service: Option<&Arc<Service>>) {
    let is_passed_on = service.is_some_and(|service| service.is_passed_on());
    if is_passed_on != table.passed_on.contains(app) {
        let apps = Arc::make_mut(&mut table.passed_on);
        if is_passed_on {
            apps.insert(app.clone())
        } else {
            apps.remove(app)
        };
    }
}

fn warn(error: &SettingError, app: Option<&AppId>) {
    let app = app.map(AppId::as_str);
    tracing::warn!(%error, app, "a setting is left out; update this router if its controller is newer");
}
