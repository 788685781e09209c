//! What publishers report: every container with a port on their host, and whether it is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use deis_api::internal::{EndpointReport, ReportedEndpoint};
use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus, Endpoint};

/// The newest report of each host, each under a lease.
#[derive(Default)]
pub struct Reports {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    hosts: BTreeMap<String, HostReport>,
    /// Which hosts report something of an app.
    apps: BTreeMap<AppId, BTreeSet<String>>,
    /// The engine's id of each container that it knows, as far as it was asked. A host that was cut off may still
    /// report others, which the engine has replaced elsewhere.
    current: BTreeMap<AppId, BTreeMap<ContainerName, String>>,
}

/// Stands for the hosts whose publishers have not reported; no host can be called this.
const SILENT_HOSTS: &str = "";

struct HostReport {
    expires: Instant,
    endpoints: BTreeMap<AppId, Vec<ReportedEndpoint>>,
}

impl Reports {
    /// Takes a host's report in place of its last. The apps for which something changed.
    pub fn take(&self, host: &str, report: EndpointReport, now: Instant) -> BTreeSet<AppId> {
        let expires = now + Duration::from_secs(u64::from(report.lease_seconds));
        let mut held = self.lock();
        if let Some(presumed) = held.hosts.get_mut(SILENT_HOSTS) {
            let told: BTreeSet<&str> = report.endpoints.iter().map(|found| found.id.as_str()).collect();
            presumed.retain(|old| !told.contains(old.id.as_str()));
        }
        held.replace(host, HostReport { expires, endpoints: by_app(report.endpoints) })
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
        let endpoints = by_app(presumed.collect());
        held.replace(SILENT_HOSTS, HostReport { expires: now, endpoints });
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
        let nothing = HostReport { expires: Instant::now(), endpoints: BTreeMap::new() };
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
    /// has, or if it was not asked, the one that was reported last.
    pub fn ready_endpoints(
        &self,
        app: &AppId,
        is_wanted: impl Fn(&ReportedEndpoint) -> bool,
    ) -> Vec<Endpoint> {
        let held = self.lock();
        let mut newest: BTreeMap<&ContainerName, (Instant, SocketAddr)> = BTreeMap::new();
        for (_, expires, endpoint) in held.of_app(app) {
            if endpoint.ready && held.is_current(endpoint) && is_wanted(endpoint) {
                let offered = (expires, endpoint.address);
                let kept = newest.entry(&endpoint.container).or_insert(offered);
                *kept = offered.max(*kept);
            }
        }
        let newest = newest.into_iter();
        newest.map(|(name, (_, address))| Endpoint { container: name.clone(), address }).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Held {
    /// Puts a host's report in the place of its last. The apps for which something changed.
    fn replace(&mut self, host: &str, report: HostReport) -> BTreeSet<AppId> {
        let nothing = BTreeMap::new();
        let old = self.hosts.get(host).map_or(&nothing, |held| &held.endpoints);
        let apps: BTreeSet<&AppId> = old.keys().chain(report.endpoints.keys()).collect();
        let differs = |app: &&AppId| differ(old.get(*app), report.endpoints.get(*app));
        let changed = apps.into_iter().filter(differs).cloned().collect();
        for app in old.keys().filter(|app| !report.endpoints.contains_key(*app)) {
            let left = self.apps.get_mut(app).map(|hosts| {
                hosts.remove(host);
                hosts.len()
            });
            if left == Some(0) {
                self.apps.remove(app);
            }
        }
        for app in report.endpoints.keys() {
            self.apps.entry(app.clone()).or_default().insert(host.to_owned());
        }
        self.hosts.insert(host.to_owned(), report);
        changed
    }

    fn all(&self) -> impl Iterator<Item = &ReportedEndpoint> {
        self.hosts.values().flat_map(|report| report.endpoints.values().flatten())
    }

    /// What is reported of `app`: by whom, until when it counts, what.
    fn of_app(&self, app: &AppId) -> impl Iterator<Item = (&str, Instant, &ReportedEndpoint)> {
        let hosts = self.apps.get(app).into_iter().flatten();
        let reports = hosts.filter_map(|host| self.hosts.get(host).map(|report| (host, report)));
        reports.flat_map(move |(host, report)| {
            let endpoints = report.endpoints.get(app).into_iter().flatten();
            endpoints.map(move |endpoint| (host.as_str(), report.expires, endpoint))
        })
    }

    /// Whether the engine has no other incarnation of the container, as far as is known.
    fn is_current(&self, endpoint: &ReportedEndpoint) -> bool {
        let ids = self.current.get(&endpoint.container.workload.app);
        ids.and_then(|ids| ids.get(&endpoint.container)).is_none_or(|id| *id == endpoint.id)
    }
}

impl HostReport {
    /// Keeps those endpoints that `stays`. The apps that lost some.
    fn retain(&mut self, stays: impl Fn(&ReportedEndpoint) -> bool) -> BTreeSet<AppId> {
        let mut lost = BTreeSet::new();
        self.endpoints.retain(|app, endpoints| {
            let before = endpoints.len();
            endpoints.retain(&stays);
            if endpoints.len() != before {
                lost.insert(app.clone());
            }
            !endpoints.is_empty()
        });
        lost
    }
}

fn by_app(endpoints: Vec<ReportedEndpoint>) -> BTreeMap<AppId, Vec<ReportedEndpoint>> {
    let mut apps: BTreeMap<AppId, Vec<ReportedEndpoint>> = BTreeMap::new();
    for endpoint in endpoints {
        apps.entry(endpoint.container.workload.app.clone()).or_default().push(endpoint);
    }
    apps
}

/// Whether two lists of one app differ, in whatever order they are.
fn differ(old: Option<&Vec<ReportedEndpoint>>, new: Option<&Vec<ReportedEndpoint>>) -> bool {
    let by_id = |endpoints: Option<&Vec<ReportedEndpoint>>| -> BTreeMap<String, ReportedEndpoint> {
        endpoints.into_iter().flatten().map(|found| (found.id.clone(), found.clone())).collect()
    };
    old != new && by_id(old) != by_id(new)
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

    #[test]
    fn of_two_incarnations_only_the_one_that_the_engine_has_is_routed() {
        let (reports, now, app) = (Reports::default(), Instant::now(), AppId::parse("a").unwrap());
        let report = |host: &str, id: &str, port: u16, lease_seconds: u32| {
            let address = ([10, 0, 0, 1], port).into();
            let found = ReportedEndpoint { id: id.to_owned(), address, ..endpoint("a_v1.web.1", true) };
            reports.take(host, EndpointReport { lease_seconds, endpoints: vec![found] }, now);
        };
        let routed = || {
            let found = reports.ready_endpoints(&app, |_| true);
            found.iter().map(|endpoint| endpoint.address.port()).collect::<Vec<_>>()
        };
        report("cut-off", "old", 1, 10);
        report("other", "new", 2, 20);
        assert_eq!(routed(), [2], "reported last");
        report("cut-off", "old", 1, 30);
        assert_eq!(routed(), [1]);
        reports.note_current(&app, &[ContainerStatus { id: "new".to_owned(), ..running("a_v1.web.1") }]);
        assert_eq!(routed(), [2]);
        assert_eq!(reports.forget_host("other").len(), 1);
        assert!(routed().is_empty(), "the engine knows nothing of what is left");
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
