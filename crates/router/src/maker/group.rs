//! The endpoints of one service, made from those that it had and what is wanted.

use std::net::SocketAddr;
use std::sync::Arc;

use deis_model::{ContainerName, HealthCheck};

use super::Maker;
use crate::endpoint::Endpoint;
use crate::metrics::Tallies;
use crate::reserve::Reserve;
use crate::service::Service;

/// What a service's endpoints are made with.
pub(super) struct Group<'a> {
    pub(super) maker: &'a Maker,
    pub(super) before: Option<&'a Arc<Service>>,
    pub(super) tallies: &'a Tallies,
    pub(super) reserve: &'a Arc<Reserve>,
}

impl Group<'_> {
    /// The endpoints that are `wanted`: those that were there go on, and others that join them start slowly. All are
    /// asked by `check` whether they are well.
    pub(super) fn endpoints<'a>(
        &self,
        wanted: impl Iterator<Item = (SocketAddr, Option<&'a ContainerName>)> + Clone,
        check: Option<HealthCheck>,
    ) -> Vec<Arc<Endpoint>> {
        let known = |address, container| {
            self.before?.all_endpoints().find(|endpoint| endpoint.is(address, container)).cloned()
        };
        let join = wanted.clone().any(|(address, container)| known(address, container).is_some());
        let endpoint = |(address, container)| {
            known(address, container).unwrap_or_else(|| {
                let endpoint = self.endpoint(address, container);
                if join {
                    endpoint.ramp.begin(self.maker.clock.now());
                }
                endpoint
            })
        };
        let endpoints: Vec<_> = wanted.map(endpoint).collect();
        let check = check.map(Arc::new);
        endpoints.iter().for_each(|endpoint| endpoint.check_by(check.as_ref()));
        endpoints
    }

    fn endpoint(&self, address: SocketAddr, container: Option<&ContainerName>) -> Arc<Endpoint> {
        let maker = self.maker;
        let tally = self.tallies.of(container.map(|container| container.workload.release));
        let tls = if container.is_none() { maker.controller_tls.clone() } else { None };
        let endpoint =
            Endpoint::new(address, container.cloned(), maker.idle_links, Arc::clone(&maker.drained));
        let mark = maker.marker.mark(container, address);
        Arc::new(endpoint.within(&maker.room).secured(tls).counted(tally).awaited(mark, self.reserve))
    }
}
