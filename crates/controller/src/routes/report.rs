//! What publishers report: every container with a port on their host, and whether it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use deis_api::internal::{EndpointReport, ReportedEndpoint};
use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus, Endpoint};

/// The newest report of each host, each under a lease.
#[derive(Default)]
pub struct Reports {
    hosts: Mutex<BTreeMap<String, HostReport>>,
}

/// Stands for the hosts whose publishers have not reported; no host can be called this.
const SILENT_HOSTS: &str = "";

struct HostReport {
    expires: Instant,
    endpoints: Vec<ReportedEndpoint>,
}

impl Reports {
    /// Takes a host's report in place of its last. The apps for which something changed.
    pub fn take(&self, host: &str, report: EndpointReport, now: Instant) -> BTreeSet<AppId> {
        let lease = Duration::from_secs(u64::from(report.lease_seconds));
        let new = HostReport { expires: now + lease, endpoints: report.endpoints };
        let mut hosts = self.lock();
        let old = hosts.get(host).map_or(&[][..], |held| &held.endpoints);
        let changed = differing_apps(old, &new.endpoints);
        if let Some(presumed) = hosts.get_mut(SILENT_HOSTS) {
            presumed.endpoints.retain(|old| new.endpoints.iter().all(|found| found.id != old.id));
        }
        hosts.insert(host.to_owned(), new);
        changed
    }

    /// Presumes that those of `containers` that run and that no publisher reported serve, as they did before this
    /// controller started, until a publisher says otherwise or they end. Counts for routes, never as ready.
    pub fn presume(&self, containers: Vec<ContainerStatus>, now: Instant) {
        let mut hosts = self.lock();
        let is_reported =
            |id: &str| hosts.values().flat_map(|report| &report.endpoints).any(|found| found.id == id);
        let running = containers.into_iter().filter(|container| {
            container.state == ContainerState::Up
                && container.health_check.is_some()
                && !is_reported(&container.id)
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
        let endpoints = presumed.collect();
        hosts.insert(SILENT_HOSTS.to_owned(), HostReport { expires: now, endpoints });
    }

    /// Drops the reports of hosts whose lease has passed, but for endpoints that `still_runs`.
    /// The apps for which something changed.
    pub fn expire(&self, now: Instant, still_runs: impl Fn(&ReportedEndpoint) -> bool) -> BTreeSet<AppId> {
        let mut changed = BTreeSet::new();
        for report in self.lock().values_mut().filter(|report| report.expires <= now) {
            report.endpoints.retain(|endpoint| {
                let stays = still_runs(endpoint);
                if !stays {
                    changed.insert(endpoint.container.workload.app.clone());
                }
                stays
            });
        }
        changed
    }

    /// Whether a lease has passed, so that [`Reports::expire`] has work.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.lock().values().any(|report| report.expires <= now && !report.endpoints.is_empty())
    }

    /// Whether `host` has reported since this controller started.
    pub fn has_reported(&self, host: &str) -> bool {
        self.lock().contains_key(host)
    }

    /// The engine's ids of the containers that are reported as `name`.
    pub fn ids(&self, name: &ContainerName) -> BTreeSet<String> {
        let hosts = self.lock();
        let endpoints = hosts.values().flat_map(|report| &report.endpoints);
        endpoints.filter(|found| found.container == *name).map(|found| found.id.clone()).collect()
    }

    /// Drops endpoints of containers that were removed: the next report comes without them, but maybe too late for
    /// whoever gets their address next.
    pub fn forget(&self, ids: &BTreeSet<String>) {
        for report in self.lock().values_mut() {
            report.endpoints.retain(|endpoint| !ids.contains(&endpoint.id));
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
        let hosts = self.lock();
        let told = hosts.iter().filter(|(host, _)| *host != SILENT_HOSTS);
        let mut endpoints = told.flat_map(|(_, report)| &report.endpoints);
        endpoints.find(|found| found.id == container.id && found.container == container.name).map(read)
    }

    /// The ready endpoints of `app`, sorted, those that `is_wanted`.
    pub fn ready_endpoints(
        &self,
        app: &AppId,
        is_wanted: impl Fn(&ReportedEndpoint) -> bool,
    ) -> Vec<Endpoint> {
        let hosts = self.lock();
        let of_app = hosts.values().flat_map(|report| &report.endpoints).filter(|endpoint| {
            endpoint.ready && endpoint.container.workload.app == *app && is_wanted(endpoint)
        });
        let mut endpoints: Vec<_> = of_app
            .map(|found| Endpoint { container: found.container.clone(), address: found.address })
            .collect();
        endpoints.sort();
        endpoints
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, HostReport>> {
        self.hosts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn differing_apps(old: &[ReportedEndpoint], new: &[ReportedEndpoint]) -> BTreeSet<AppId> {
    let old_by_id: BTreeMap<&str, &ReportedEndpoint> =
        old.iter().map(|found| (found.id.as_str(), found)).collect();
    let new_ids: BTreeSet<&str> = new.iter().map(|found| found.id.as_str()).collect();
    let changed = new.iter().filter(|found| old_by_id.get(found.id.as_str()) != Some(found));
    let gone = old.iter().filter(|found| !new_ids.contains(found.id.as_str()));
    changed.chain(gone).map(|found| found.container.workload.app.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(name: &str, ready: bool) -> ReportedEndpoint {
        ReportedEndpoint {
            container: ContainerName::parse(name).unwrap(),
            id: name.to_owned(),
            address: "10.0.0.2:5000".parse().unwrap(),
            ready,
            reason: None,
        }
    }

    fn take(reports: &Reports, endpoints: &[(&str, bool)]) -> Vec<String> {
        let endpoints = endpoints.iter().map(|(name, ready)| endpoint(name, *ready)).collect();
        let report = EndpointReport { lease_seconds: 20, endpoints };
        reports.take("here", report, Instant::now()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_report_names_the_apps_that_changed() {
        let reports = Reports::default();
        assert_eq!(take(&reports, &[("a_v1.web.1", false), ("b_v1.web.1", true)]), ["a", "b"]);
        assert_eq!(take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]), ["a"]);
        assert_eq!(take(&reports, &[("a_v1.web.1", true)]), ["b"]);
        assert!(take(&reports, &[("a_v1.web.1", true)]).is_empty());
    }

    #[test]
    fn a_passed_lease_withdraws_only_what_does_not_run() {
        let reports = Reports::default();
        take(&reports, &[("a_v1.web.1", true), ("b_v1.web.1", true)]);
        let later = Instant::now() + Duration::from_secs(21);
        assert!(reports.has_expired(later));
        let changed = reports.expire(later, |endpoint| endpoint.id.starts_with('a'));
        assert_eq!(changed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b"]);
        assert_eq!(reports.ready_endpoints(&AppId::parse("a").unwrap(), |_| true).len(), 1);
    }

    fn running(name: &str) -> ContainerStatus {
        ContainerStatus {
            name: ContainerName::parse(name).unwrap(),
            id: name.to_owned(),
            state: ContainerState::Up,
            address: Some(([10, 0, 0, 2], 5000).into()),
            health_check: Some(deis_model::HealthCheck::default()),
            restarts: 0,
            started_at: 0,
            exit_code: None,
            out_of_memory: false,
            fingerprint: String::new(),
        }
    }

    #[test]
    fn what_ran_before_is_routed_until_a_publisher_says_otherwise_or_it_ends() {
        let (reports, now) = (Reports::default(), Instant::now());
        let routed = |app: &str| reports.ready_endpoints(&AppId::parse(app).unwrap(), |_| true).len();
        let ran = running("a_v1.web.1");
        reports.presume(vec![ran.clone(), running("b_v1.web.1"), running("c_v1.web.1")], now);
        assert_eq!((routed("a"), routed("b"), routed("c")), (1, 1, 1));
        assert!(!reports.is_ready(&ran), "nobody has probed it");
        take(&reports, &[("b_v1.web.1", false)]);
        assert_eq!((routed("a"), routed("b")), (1, 0));
        reports.expire(now, |endpoint| endpoint.id != "c_v1.web.1");
        assert_eq!((routed("a"), routed("c")), (1, 0));
    }
}
