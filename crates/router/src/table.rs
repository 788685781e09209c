//! The table that requests are looked up in: immutable, replaced as a whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use deis_api::internal::PlatformRoutes;
use deis_model::AppId;
use deis_model::routing::MeshSettings;

use crate::challenge::Challenges;
use crate::endpoint::Endpoint;
use crate::names::Names;
use crate::rules::Gate;
use crate::service::Service;
use crate::shards::Shards;
use crate::tls::PlatformCertificate;

/// Which service answers for which host, and what holds for all. Cheap to copy.
#[derive(Clone, Default)]
pub(crate) struct Table {
    /// The generation of the routes it was built from.
    pub(crate) generation: u64,
    /// What holds for the whole mesh.
    pub(crate) mesh: Arc<MeshSettings>,
    /// What the controller said of the platform itself.
    pub(crate) platform: Arc<PlatformRoutes>,
    /// For hosts without a certificate of their own.
    pub(crate) platform_certificate: Arc<PlatformCertificate>,
    /// What certificate authorities ask for.
    pub(crate) challenges: Arc<Challenges>,
    /// The gate of apps without settings of their own.
    pub(crate) gate: Arc<Gate>,
    /// Who answers for which host.
    pub(crate) names: Names,
    /// Every app, with or without names.
    pub(crate) apps: Shards<AppId, Arc<Service>>,
    /// Those of them with connections that are passed on as they are.
    pub(crate) passed_on: Arc<BTreeSet<AppId>>,
    /// The platform's API.
    pub(crate) controllers: Option<Arc<Service>>,
}

impl Table {
    /// The service for `host`, which is in lower case and without port.
    pub(crate) fn find(&self, host: &str) -> Option<&Service> {
        self.names.find(host).map(Arc::as_ref)
    }

    /// Whether the controllers answer for `host`.
    pub(crate) fn is_platform(&self, host: &str) -> bool {
        self.find(host).is_some_and(|service| service.route.is_none())
    }

    /// How many apps it holds.
    pub(crate) fn app_count(&self) -> usize {
        self.apps.len()
    }

    /// When the first certificate ends that visitors are shown and no other one takes the place of; none if there is none.
    pub(crate) fn first_certificate_end(&self) -> Option<SystemTime> {
        let platform = self.platform_certificate.usable().map(|pair| pair.ends());
        self.apps.values().filter_map(|service| service.certificates.first_end()).chain(platform).min()
    }

    /// Every service in it.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.apps.values().chain(&self.controllers)
    }

    /// Every endpoint in it.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.services().flat_map(|service| service.all_endpoints())
    }

    /// The endpoints of this table that are not in `next`: to be retired once `next` is in force.
    pub(crate) fn left_by(&self, next: &Self) -> Vec<Arc<Endpoint>> {
        let apps = self.apps.iter().map(|(app, service)| (service, next.apps.get(app)));
        let controllers = self.controllers.iter().map(|service| (service, next.controllers.as_ref()));
        apps.chain(controllers).flat_map(|(before, after)| before.left_by(after)).collect()
    }
}

#[cfg(test)]
mod changes;
#[cfg(test)]
mod tests;
