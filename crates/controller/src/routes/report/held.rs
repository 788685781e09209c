//! What is held of the reports: by host, and found by app.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use deis_api::internal::ReportedEndpoint;
use deis_model::{AppId, ContainerName};

/// All reports.
#[derive(Default)]
pub(super) struct Held {
    /// The newest of each host.
    pub(super) hosts: BTreeMap<String, HostReport>,
    /// Which hosts report something of an app.
    apps: BTreeMap<AppId, BTreeSet<String>>,
    /// The engine's id of each container that it knows, as far as it was asked. A host that was cut off may still
    /// report others, which the engine has replaced elsewhere.
    pub(super) current: BTreeMap<AppId, BTreeMap<ContainerName, String>>,
}

/// Stands for the hosts whose publishers have not reported; no host can be called this.
pub(super) const SILENT_HOSTS: &str = "";

/// What one host reported last.
pub(super) struct HostReport {
    /// When its lease passes.
    pub(super) expires: Instant,
    /// Whether it was seen to have passed.
    pub(super) lapsed: bool,
    /// What its publisher calls this list; none once something was taken out of it for good.
    revision: Option<String>,
    /// The endpoints by app.
    pub(super) endpoints: BTreeMap<AppId, Vec<ReportedEndpoint>>,
}

impl Held {
    /// Puts a host's report in the place of its last. The apps for which something changed.
    pub(super) fn replace(&mut self, host: &str, report: HostReport) -> BTreeSet<AppId> {
        let nothing = BTreeMap::new();
        let last = self.hosts.get(host);
        let old = last.map_or(&nothing, |last| &last.endpoints);
        let had_lapsed = last.is_some_and(|last| last.lapsed);
        let apps: BTreeSet<&AppId> = old.keys().chain(report.endpoints.keys()).collect();
        let differs = |app: &&AppId| had_lapsed || differ(old.get(*app), report.endpoints.get(*app));
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

    /// Has a host's report count until `expires`, if it is of this revision. The apps for which something changed.
    pub(super) fn renew(&mut self, host: &str, revision: &str, expires: Instant) -> Option<BTreeSet<AppId>> {
        let held = self.hosts.get_mut(host);
        let report = held.filter(|report| report.revision.as_deref() == Some(revision))?;
        report.expires = expires;
        match std::mem::take(&mut report.lapsed) {
            true => Some(report.endpoints.keys().cloned().collect()),
            false => Some(BTreeSet::new()),
        }
    }

    /// Everything that is reported.
    pub(super) fn all(&self) -> impl Iterator<Item = &ReportedEndpoint> {
        self.hosts.values().flat_map(|report| report.endpoints.values().flatten())
    }

    /// What is reported of `app`: by whom, in which report, what.
    pub(super) fn of_app(&self, app: &AppId) -> impl Iterator<Item = (&str, &HostReport, &ReportedEndpoint)> {
        let hosts = self.apps.get(app).into_iter().flatten();
        let reports = hosts.filter_map(|host| self.hosts.get(host).map(|report| (host, report)));
        reports.flat_map(move |(host, report)| {
            let endpoints = report.endpoints.get(app).into_iter().flatten();
            endpoints.map(move |endpoint| (host.as_str(), report, endpoint))
        })
    }

    /// Whether the engine has no other incarnation of the container, as far as is known.
    pub(super) fn is_current(&self, endpoint: &ReportedEndpoint) -> bool {
        let ids = self.current.get(&endpoint.container.workload.app);
        ids.and_then(|ids| ids.get(&endpoint.container)).is_none_or(|id| *id == endpoint.id)
    }
}

impl HostReport {
    /// One that counts until `expires`.
    pub(super) fn new(expires: Instant, revision: Option<String>, endpoints: Vec<ReportedEndpoint>) -> Self {
        Self { expires, lapsed: false, revision, endpoints: by_app(endpoints) }
    }

    /// Keeps those endpoints that `stays`. The apps that lost some.
    pub(super) fn retain(&mut self, stays: impl Fn(&ReportedEndpoint) -> bool) -> BTreeSet<AppId> {
        let mut lost = BTreeSet::new();
        self.endpoints.retain(|app, endpoints| {
            let before = endpoints.len();
            endpoints.retain(&stays);
            if endpoints.len() != before {
                lost.insert(app.clone());
            }
            !endpoints.is_empty()
        });
        if !lost.is_empty() {
            self.revision = None;
        }
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
