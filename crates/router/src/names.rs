//! Names of services: which answers for a host.
//!
//! An exact name comes before any wildcard, and of wildcards the longest. `*.example.com` holds for all names below,
//! however deep, as with nginx, and not for `example.com` itself. (A certificate for `*.example.com` is narrower: it
//! holds for one label only.) A name ends where it ends: no suffix is ever taken for another.
//!
//! Where several services claim a name, the platform has it, then the app that comes first in the alphabet. The others'
//! claims are kept: as one leaves, the next has it, whatever the order of the changes that lead there.

use std::sync::Arc;

use crate::service::Service;
use crate::shards::Shards;

/// What a wildcard begins with.
const WILDCARD: &str = "*.";

/// Which service answers for which host. Cheap to copy.
#[derive(Clone, Default)]
pub(crate) struct Names {
    exact: Shards<Arc<str>, Claim>,
    /// By the name that they are below.
    wildcards: Shards<Arc<str>, Claim>,
    /// How many wildcards there are.
    wildcard_count: usize,
}

/// Services that claim one name.
#[derive(Clone)]
struct Claim {
    /// The one that has it.
    holder: Arc<Service>,
    /// The others in their order; nearly always empty.
    others: Vec<Arc<Service>>,
}

impl Names {
    /// The service for `host`, which is in lower case and without port.
    pub(crate) fn find(&self, host: &str) -> Option<&Arc<Service>> {
        match self.exact.get(host) {
            Some(claim) => Some(&claim.holder),
            None if self.wildcard_count == 0 => None,
            None => self.find_wildcard(host),
        }
    }

    fn find_wildcard(&self, host: &str) -> Option<&Arc<Service>> {
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(claim) = self.wildcards.get(parent) {
                return Some(&claim.holder);
            }
            rest = parent;
        }
        None
    }

    /// Lets `service` claim `name`, in place of the one that was its owner's before.
    pub(crate) fn claim(&mut self, name: &str, service: &Arc<Service>) {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix(WILDCARD) {
            Some(parent) if claim(&mut self.wildcards, parent, service) => self.wildcard_count += 1,
            Some(_) => {}
            None => _ = claim(&mut self.exact, &name, service),
        }
    }

    /// Takes the claim of `service`'s owner to `name` back.
    pub(crate) fn leave(&mut self, name: &str, service: &Service) {
        let name = name.to_ascii_lowercase();
        match name.strip_prefix(WILDCARD) {
            Some(parent) if leave(&mut self.wildcards, parent, service) => self.wildcard_count -= 1,
            Some(_) => {}
            None => _ = leave(&mut self.exact, &name, service),
        }
    }
}

/// Whether nobody had claimed `name` before.
fn claim(names: &mut Shards<Arc<str>, Claim>, name: &str, service: &Arc<Service>) -> bool {
    let others = names.get(name).map(|held| held.services().filter(|other| other.app() != service.app()));
    let mut services: Vec<_> = others.into_iter().flatten().cloned().collect();
    let is_new = names.get(name).is_none();
    let place = services.partition_point(|other| other.app() < service.app());
    services.insert(place, Arc::clone(service));
    hold(names, name, services);
    is_new
}

/// Whether nobody claims `name` any more, and somebody did.
fn leave(names: &mut Shards<Arc<str>, Claim>, name: &str, service: &Service) -> bool {
    let Some(held) = names.get(name) else { return false };
    let services: Vec<_> = held.services().filter(|other| other.app() != service.app()).cloned().collect();
    let is_gone = services.is_empty();
    hold(names, name, services);
    is_gone
}

fn hold(names: &mut Shards<Arc<str>, Claim>, name: &str, services: Vec<Arc<Service>>) {
    let mut services = services.into_iter();
    match services.next() {
        Some(holder) => names.insert(name.into(), Claim { holder, others: services.collect() }),
        None => _ = names.remove(name),
    }
}

impl Claim {
    fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        std::iter::once(&self.holder).chain(&self.others)
    }
}
