//! What publishers report: every container with a port on their host, and whether it is ready.
//!
//! A report counts under a lease. Once that has passed the host or its publisher is gone, and its endpoints give way to
//! those of hosts that do report; but the last ones of an app stay for as long as the engine knows their containers.

mod held;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deis_api::internal::{EndpointReport, ReportedEndpoint};
use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus, Endpoint};

use held::{Held, HostReport, SILENT_HOSTS};

/// The newest report of each host, each under a lease.
#[derive(Default)]
pub struct Reports {
    held: Mutex<Held>,
}

impl Reports {
    /// Takes a host's report in place of its last, or renews that. The apps for which something changed; none if the
    /// host is to report everything, since what it names by a revision is not known.
    pub fn take(&self, host: &str, report: EndpointReport, now: Instant) -> Option<BTreeSet<AppId>> {
        let expires = now + Duration::from_secs(u64::from(report.lease_seconds));
        let mut held = self.lock();
        let Some(endpoints) = report.endpoints else { return held.renew(host, &report.revision, expires) };
        if let Some(presumed) = held.hosts.get_mut(SILENT_HOSTS) {
            let told: BTreeSet<&str> = endpoints.iter().map(|found| found.id.as_str()).collect();
            presumed.retain(|old| !told.contains(old.id.as_str()));
        }
        Some(held.replace(host, HostReport::new(expires, Some(report.revision), endpoints)))
    }

    /// Presumes that those of `containers` that run and that no publisher reported serve, as they did before this
    /// controller led, until a publisher says otherwise or they end. Counts for routes, never as ready.
    pub fn presume(&self, containers: Vec<ContainerStatus>, now: Instant) {
        let mut held = self.lock();
        let told: BTreeSet<&str> = held.all().map(|found| found.id.as_str()).collect();
        let running = containers.into_iter().filter(|container| {
            container.state == ContainerState::Up
                && container.health_check.is_some()
                && !told.contains(container.id.as_str())
        });
        let presumed = running.filter_map(|container| {
            Some(ReportedEndpoint {
                container: container.name,
                id: container.id,
                address: container.address?,
                ready: true,
                reason: None,
            })
        });
        let report = HostReport::new(now, None, presumed.collect());
        held.replace(SILENT_HOSTS, report);
    }

    /// Notes which hosts' leases have passed: their endpoints get traffic only where no other host has any. The apps for
    /// which that is new.
    pub fn lapse(&self, now: Instant) -> BTreeSet<AppId> {
        let mut held = self.lock();
        let hosts = held.hosts.iter_mut().filter(|(host, _)| *host != SILENT_HOSTS);
        let passed = hosts.filter(|(_, report)| report.expires <= now && !report.lapsed);
        let mut apps = BTreeSet::new();
        for (_, report) in passed {
            report.lapsed = true;
            apps.extend(report.endpoints.keys().cloned());
        }
        apps
    }

    /// Drops the reports of hosts whose lease has passed, but for endpoints that `still_runs`.
    /// The apps for which something changed.
    pub fn expire(&self, now: Instant, still_runs: impl Fn(&ReportedEndpoint) -> bool) -> BTreeSet<AppId> {
        let mut held = self.lock();
        let passed = held.hosts.values_mut().filter(|report| report.expires <= now);
        passed.flat_map(|report| report.retain(&still_runs)).collect()
    }

    /// Whether a lease has passed, so that [`Reports::expire`] has work.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.lock().hosts.values().any(|report| report.expires <= now && !report.endpoints.is_empty())
    }

    /// Whether `host` has reported since this controller leads.
    pub fn has_reported(&self, host: &str) -> bool {
        self.lock().hosts.contains_key(host)
    }

    /// The hosts whose reports count at `now`.
    pub fn live_hosts(&self, now: Instant) -> Vec<String> {
        let held = self.lock();
        let live = held.hosts.iter().filter(|(_, report)| report.expires > now);
        live.map(|(host, _)| host.clone()).collect()
    }

    /// Drops what a host reported that is no more. The apps for which something changed.
    pub fn forget_host(&self, host: &str) -> BTreeSet<AppId> {
        let mut held = self.lock();
        let nothing = HostReport::new(Instant::now(), None, Vec::new());
        let changed = held.replace(host, nothing);
        held.hosts.remove(host);
        changed
    }

    /// Notes the containers that the engine has of `app`: of each name, only that incarnation gets traffic.
    pub fn note_current(&self, app: &AppId, containers: &[ContainerStatus]) {
        let ids = containers.iter().filter(|found| !found.id.is_empty() && found.health_check.is_some());
        let ids: BTreeMap<_, _> = ids.map(|found| (found.name.clone(), found.id.clone())).collect();
        let current = &mut self.lock().current;
        match ids.is_empty() {
            true => drop(current.remove(app)),
            false => drop(current.insert(app.clone(), ids)),
        }
    }

    /// The engine's ids of the containers that are reported as `name`.
    pub fn ids(&self, name: &ContainerName) -> BTreeSet<String> {
        let held = self.lock();
        let of_app = held.of_app(&name.workload.app).map(|(_, _, found)| found);
        of_app.filter(|found| found.container == *name).map(|found| found.id.clone()).collect()
    }

    /// Drops endpoints of containers of `app` that were removed: the next report comes without them, but maybe too late
    /// for whoever gets their address next.
    pub fn forget(&self, app: &AppId, ids: &BTreeSet<String>) {
        for report in self.lock().hosts.values_mut() {
            if let Some(endpoints) = report.endpoints.get_mut(app) {
                endpoints.retain(|endpoint| !ids.contains(&endpoint.id));
            }
        }
    }

    /// Whether the publisher judges this very incarnation of the container ready.
    pub fn is_ready(&self, container: &ContainerStatus) -> bool {
        self.find(container, |endpoint| endpoint.ready).unwrap_or(false)
    }

    /// Why the publisher does not judge the container ready.
    pub fn reason(&self, container: &ContainerStatus) -> Option<String> {
        self.find(container, |endpoint| endpoint.reason.clone()).flatten()
    }

    fn find<T>(&self, container: &ContainerStatus, read: impl Fn(&ReportedEndpoint) -> T) -> Option<T> {
        let held = self.lock();
        let mut told = held.of_app(&container.name.workload.app).filter(|(host, ..)| *host != SILENT_HOSTS);
        let found = told.find(|(_, _, found)| found.id == container.id && found.container == container.name);
        found.map(|(_, _, found)| read(found))
    }

    /// The ready endpoints of `app`, sorted, those that `is_wanted`: of each container the incarnation that the engine
    /// has, or if it was not asked, the one that was reported last. None of hosts whose lease has passed, unless all are.
    pub fn ready_endpoints(
        &self,
        app: &AppId,
        is_wanted: impl Fn(&ReportedEndpoint) -> bool,
    ) -> Vec<Endpoint> {
        let held = self.lock();
        let is_offered = |found: &ReportedEndpoint| found.ready && held.is_current(found) && is_wanted(found);
        let offered: Vec<_> = held.of_app(app).filter(|(.., found)| is_offered(found)).collect();
        let is_fresh = offered.iter().any(|(host, report, _)| *host != SILENT_HOSTS && !report.lapsed);
        let mut newest: BTreeMap<&ContainerName, (Instant, SocketAddr)> = BTreeMap::new();
        for (_, report, endpoint) in offered.iter().filter(|(_, report, _)| !(is_fresh && report.lapsed)) {
            let offer = (report.expires, endpoint.address);
            let kept = newest.entry(&endpoint.container).or_insert(offer);
            *kept = offer.max(*kept);
        }
        let newest = newest.into_iter();
        newest.map(|(name, (_, address))| Endpoint { container: name.clone(), address }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
