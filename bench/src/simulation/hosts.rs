//! The simulated hosts: what runs on each, and a publisher that reports it as real ones do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_api::internal::{EndpointReport, ReportedEndpoint};
use deis_model::{AppId, ContainerName};
use deis_runtime::secrets::random_hex;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use super::seed::host;
use super::size::Size;

/// As publishers have it.
const LEASE_SECONDS: u32 = 6;
const RENEWAL: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All hosts.
pub(super) struct Hosts {
    size: Size,
    hosts: Vec<Arc<Host>>,
    /// The containers of each app by name, with the engine's ids.
    apps: Mutex<BTreeMap<AppId, BTreeMap<ContainerName, String>>>,
    addresses: Vec<SocketAddr>,
}

struct Host {
    name: String,
    endpoints: Mutex<BTreeMap<ContainerName, ReportedEndpoint>>,
    changed: Notify,
}

impl Hosts {
    /// Hosts on which nothing runs yet; their containers are to be reached at `addresses`.
    pub(super) fn new(size: Size, addresses: Vec<SocketAddr>) -> Self {
        let new = |index| Arc::new(Host::new(host(index)));
        Self { size, hosts: (0..size.hosts()).map(new).collect(), apps: Mutex::default(), addresses }
    }

    /// Takes in what the engine has of `app`: names and ids. What was not there before is ready at once.
    pub(super) fn note(&self, app: &AppId, containers: BTreeMap<ContainerName, String>) {
        let mut apps = self.apps();
        let old = apps.insert(app.clone(), containers.clone()).unwrap_or_default();
        for name in old.iter().filter(|(name, id)| containers.get(*name) != Some(*id)).map(|(name, _)| name) {
            self.of(name).change(|endpoints| endpoints.remove(name).is_some());
        }
        for (name, id) in containers.iter().filter(|(name, id)| old.get(*name) != Some(*id)) {
            let address = self.addresses[self.size.host_of(name) % self.addresses.len()];
            let (container, id) = (name.clone(), id.clone());
            let new = ReportedEndpoint { container, id, address, ready: true, reason: None };
            self.of(name).change(|endpoints| endpoints.insert(name.clone(), new).is_none());
        }
    }

    /// Has it reported that `container` is ready, or is not any more.
    pub(super) fn judge(&self, container: &ContainerName, ready: bool) {
        self.of(container).change(|endpoints| {
            let endpoint = endpoints.get_mut(container).expect("it runs there");
            std::mem::replace(&mut endpoint.ready, ready) != ready
        });
    }

    /// The containers of `app`.
    pub(super) fn containers(&self, app: &AppId) -> Vec<ContainerName> {
        self.apps().get(app).into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// Starts all publishers, spread over the interval at which they repeat themselves.
    pub(super) fn publish(&self, tasks: &Runtime, controller: SocketAddr, internal_key: &str) {
        let count = u32::try_from(self.hosts.len()).expect("few");
        for (host, turn) in self.hosts.iter().zip(0..) {
            let (host, first) = (Arc::clone(host), RENEWAL * turn / count);
            let client = InternalClient::new(&format!("http://{controller}"), internal_key);
            tasks.spawn(async move {
                tokio::time::sleep(first).await;
                host.publish(&client).await;
            });
        }
    }
}

impl Hosts {
    fn of(&self, container: &ContainerName) -> &Host {
        &self.hosts[self.size.host_of(container)]
    }

    fn apps(&self) -> MutexGuard<'_, BTreeMap<AppId, BTreeMap<ContainerName, String>>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    fn new(name: String) -> Self {
        Self { name, endpoints: Mutex::default(), changed: Notify::new() }
    }

    async fn publish(&self, controller: &InternalClient) {
        let mut pause = FIRST_PAUSE;
        let mut sent = Vec::new();
        // What a controller has is only called by its name.
        let (mut revision, mut is_held) = (random_hex(), false);
        loop {
            let endpoints: Vec<ReportedEndpoint> = self.lock().values().cloned().collect();
            if endpoints != sent {
                (sent, revision, is_held) = (endpoints, random_hex(), false);
            }
            let endpoints = (!is_held).then(|| sent.clone());
            let report =
                EndpointReport { lease_seconds: LEASE_SECONDS, revision: revision.clone(), endpoints };
            let answer = controller.report_endpoints(&self.name, &report).await;
            if matches!(answer, Ok(true)) {
                (is_held, pause) = (true, FIRST_PAUSE);
                let _ = tokio::time::timeout(RENEWAL, self.changed.notified()).await;
            } else if !std::mem::take(&mut is_held) {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
    }

    /// Reports at once if `change` answers that it changed something.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<ContainerName, ReportedEndpoint>) -> bool) {
        if change(&mut self.lock()) {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ContainerName, ReportedEndpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
