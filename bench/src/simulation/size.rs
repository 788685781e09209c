//! How large the simulated platform is.

use deis_model::{AppId, ContainerName};

/// Containers of each app.
pub(super) const REPLICAS: usize = 5;
/// Apps for each host: fifty containers on each.
const APPS_PER_HOST: usize = 10;

/// So many hosts, with ten apps each.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    hosts: usize,
}

impl Size {
    /// What is measured.
    pub(crate) const FULL: Self = Self { hosts: 1000 };

    /// Another number of hosts, for trying.
    pub(crate) fn parse(hosts: &str) -> Self {
        Self { hosts: hosts.parse().ok().filter(|hosts| *hosts > 0).expect("HOSTS is a number above 0") }
    }

    /// How many hosts there are.
    pub(super) fn hosts(self) -> usize {
        self.hosts
    }

    /// How many apps there are.
    pub(super) fn apps(self) -> usize {
        self.hosts * APPS_PER_HOST
    }

    /// Which host a container of an app runs on, counted from 0.
    pub(super) fn host_of(self, container: &ContainerName) -> usize {
        (index(&container.workload.app) * REPLICAS + container.number as usize - 1) % self.hosts
    }
}

/// The name of the app with this index.
pub(super) fn app(index: usize) -> AppId {
    AppId::parse(&format!("app-{index:05}")).expect("letters, digits and a dash")
}

/// What [`app`] made the name of.
fn index(app: &AppId) -> usize {
    app.as_str().trim_start_matches("app-").parse().expect("only simulated apps are there")
}
