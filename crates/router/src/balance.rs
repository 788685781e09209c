//! Choosing an endpoint: the less busy of two picked at random.

use std::net::SocketAddr;
use std::sync::Arc;

use rand::Rng;

use crate::clock::Millis;
use crate::endpoint::Endpoint;

/// Addresses that one request has tried in vain.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<SocketAddr>);

impl Tried {
    /// Notes a failure.
    pub(crate) fn add(&mut self, address: SocketAddr) {
        self.0.push(address);
    }

    /// Forgets all: they may be tried again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether more than one of `endpoints` is left.
    pub(crate) fn leave_several(&self, endpoints: &[Arc<Endpoint>]) -> bool {
        endpoints.iter().filter(|endpoint| !self.holds(endpoint)).nth(1).is_some()
    }

    fn holds(&self, endpoint: &Endpoint) -> bool {
        self.0.contains(&endpoint.address)
    }
}

/// An endpoint not yet tried, preferably one that is not taken out; none if all were tried.
///
/// Two at random and the one with fewer requests under way of them: nearly as even as looking at all, at no cost
/// that grows with their number, and without every router choosing the same one.
pub(crate) fn pick<'a>(
    endpoints: &'a [Arc<Endpoint>],
    tried: &Tried,
    now: Millis,
) -> Option<&'a Arc<Endpoint>> {
    let usable = |endpoint: &Endpoint| !tried.holds(endpoint) && !endpoint.ejection.is_out(now);
    let sampled = two(endpoints).into_iter().flatten().filter(|endpoint| usable(endpoint));
    least_busy(sampled)
        .or_else(|| least_busy(endpoints.iter().filter(|endpoint| usable(endpoint))))
        .or_else(|| least_busy(endpoints.iter().filter(|endpoint| !tried.holds(endpoint))))
}

fn two(endpoints: &[Arc<Endpoint>]) -> [Option<&Arc<Endpoint>>; 2] {
    match endpoints.len() {
        0 | 1 => [endpoints.first(), None],
        count => {
            let mut random = rand::rng();
            let first = random.random_range(0..count);
            let second = (first + random.random_range(1..count)) % count;
            [endpoints.get(first), endpoints.get(second)]
        }
    }
}

fn least_busy<'a>(endpoints: impl Iterator<Item = &'a Arc<Endpoint>>) -> Option<&'a Arc<Endpoint>> {
    endpoints.min_by_key(|endpoint| endpoint.in_flight())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: u16) -> Vec<Arc<Endpoint>> {
        (1..=count)
            .map(|port| Arc::new(Endpoint::new(([127, 0, 0, 1], port).into(), None, 1, Arc::default())))
            .collect()
    }

    #[test]
    fn of_two_endpoints_the_less_busy_is_picked() {
        let endpoints = endpoints(2);
        let _busy = endpoints[0].board();
        for _ in 0..20 {
            assert_eq!(pick(&endpoints, &Tried::default(), 1).unwrap().address.port(), 2);
        }
    }

    #[test]
    fn every_endpoint_is_tried_once() {
        let endpoints = endpoints(5);
        let mut tried = Tried::default();
        for _ in 0..5 {
            tried.add(pick(&endpoints, &tried, 1).unwrap().address);
        }
        assert!(pick(&endpoints, &tried, 1).is_none());
        assert_eq!(tried.0.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
    }

    #[test]
    fn an_endpoint_that_is_out_is_picked_only_when_all_are() {
        let endpoints = endpoints(3);
        endpoints[0].ejection.eject(1);
        endpoints[1].ejection.eject(1);
        for _ in 0..20 {
            assert_eq!(pick(&endpoints, &Tried::default(), 2).unwrap().address.port(), 3);
        }
        endpoints[2].ejection.eject(1);
        assert!(pick(&endpoints, &Tried::default(), 2).is_some());
        assert!(pick(&[], &Tried::default(), 2).is_none());
    }
}
