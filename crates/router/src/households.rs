//! How many connections each client has at a time, so that none takes the places of all others.
//!
//! A client is an address, or the first half of one of IPv6: whoever has that has all of it. Load balancers in front are
//! not counted, as they come for everybody; whom they name by the PROXY protocol is. What is kept is bounded by the
//! connections there are: who has none is forgotten.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deis_model::routing::MeshSettings;

use crate::clock::Millis;
use crate::quiet::Quiet;

/// In how many parts clients are counted, so that cores seldom wait for each other.
const SHARDS: usize = 64;

/// Of all places, this part at most is one client's if nobody has said otherwise: an office or a provider that hides
/// thousands of visitors behind one address is served, and no four machines can shut everybody else out.
const SHARE: usize = 5;

/// The clients of one router.
pub(crate) struct Households {
    counts: Arc<Counts>,
    /// What one may have if nobody has said otherwise.
    most: AtomicUsize,
    /// So that not every client that is turned away makes a warning.
    quiet: Quiet,
}

struct Counts {
    hasher: RandomState,
    shards: Box<[Mutex<HashMap<u128, usize>>]>,
}

/// One connection of a client, counted until it is dropped.
#[derive(Default)]
pub(crate) struct Member(Option<(Arc<Counts>, u128)>);

/// A client that has as many connections as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Households {
    /// Of a router with so many places.
    pub(crate) fn new(places: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let counts = Counts { hasher: RandomState::new(), shards }.into();
        Self { counts, most: AtomicUsize::new(share(places)), quiet: Quiet::default() }
    }

    /// There are so many places from now on.
    pub(crate) fn resize(&self, places: usize) {
        self.most.store(share(places), Relaxed);
    }

    /// Counts one more connection of `client`, as far as `mesh` allows any; `is_announced`: whether a load balancer named
    /// it.
    pub(crate) fn join(
        &self,
        mesh: &MeshSettings,
        client: IpAddr,
        is_announced: bool,
    ) -> Result<Member, Crowded> {
        let is_balancer = || !is_announced && mesh.trusted.iter().any(|range| range.contains(client));
        let own = || self.most.load(Relaxed);
        match mesh.connection_limit.map_or_else(own, |most| usize::try_from(most).unwrap_or(usize::MAX)) {
            0 => Ok(Member::default()),
            _ if is_balancer() => Ok(Member::default()),
            most => self
                .counts
                .join(household(client), most)
                .map(|household| Member(Some((Arc::clone(&self.counts), household)))),
        }
    }

    /// Whether it is the caller who shall warn that a client was turned away.
    pub(crate) fn may_warn(&self, now: Millis) -> bool {
        self.quiet.may_warn(now)
    }
}

fn share(places: usize) -> usize {
    (places / SHARE).max(1)
}

impl Counts {
    fn join(&self, household: u128, most: usize) -> Result<u128, Crowded> {
        let mut shard = self.shard(household);
        let count = shard.entry(household).or_default();
        // None is left behind without connections: `most` is not 0.
        if *count >= most {
            return Err(Crowded);
        }
        *count += 1;
        Ok(household)
    }

    fn leave(&self, household: u128) {
        let mut shard = self.shard(household);
        if let Entry::Occupied(mut count) = shard.entry(household) {
            match *count.get() {
                0 | 1 => _ = count.remove(),
                more => *count.get_mut() = more - 1,
            }
        }
    }

    fn shard(&self, household: u128) -> MutexGuard<'_, HashMap<u128, usize>> {
        let place = usize::try_from(self.hasher.hash_one(household) % SHARDS as u64).expect("below SHARDS");
        // Nothing is left undone by whoever panics in between: there is nothing in between.
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some((counts, household)) = self.0.take() {
            counts.leave(household);
        }
    }
}

/// What counts as one client: an IPv4 address, or the first half of an IPv6 address, which one household has.
pub(crate) fn household(client: IpAddr) -> u128 {
    match client.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(households: &Households, mesh: &MeshSettings, client: &str) -> Result<Member, Crowded> {
        households.join(mesh, client.parse().unwrap(), false)
    }

    fn known(households: &Households) -> usize {
        households.counts.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    #[test]
    fn a_client_has_so_many_and_others_are_not_held_back() {
        let (households, mesh) = (Households::new(10), MeshSettings::default());
        let (first, _second) = (join(&households, &mesh, "192.0.2.1"), join(&households, &mesh, "192.0.2.1"));
        assert!(join(&households, &mesh, "::ffff:192.0.2.1").is_err());
        let _other = join(&households, &mesh, "192.0.2.2").unwrap();
        drop(first);
        assert!(join(&households, &mesh, "192.0.2.1").is_ok());
    }

    #[test]
    fn who_has_half_of_an_address_is_one_client() {
        let (households, mesh) = (Households::new(5), MeshSettings::default());
        let _one = join(&households, &mesh, "2001:db8::1").unwrap();
        assert!(join(&households, &mesh, "2001:db8::ffff:2").is_err());
        assert!(join(&households, &mesh, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn load_balancers_are_not_counted_and_whom_they_name_is() {
        let (households, mesh) = (Households::new(5), MeshSettings::default());
        let _many = [(); 9].map(|()| join(&households, &mesh, "127.0.0.1").unwrap());
        let named = || households.join(&mesh, IpAddr::from([127, 0, 0, 1]), true);
        let _one = named().unwrap();
        assert!(named().is_err());
    }

    #[test]
    fn what_is_set_counts_more() {
        let households = Households::new(5);
        let mesh = |value: &str| {
            let settings = [("connectionLimit".to_owned(), value.to_owned())].into();
            MeshSettings::parse(&settings).unwrap()
        };
        let _many = [(); 9].map(|()| join(&households, &mesh("0"), "192.0.2.1").unwrap());
        let _three = [(); 3].map(|()| join(&households, &mesh("3"), "192.0.2.1").unwrap());
        assert!(join(&households, &mesh("3"), "192.0.2.1").is_err());
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let (households, mesh) = (Households::new(5), MeshSettings::default());
        let members: Vec<_> = (0..200_u8)
            .map(|last| households.join(&mesh, [192, 0, 2, last].into(), false).unwrap())
            .collect();
        assert!(join(&households, &mesh, "192.0.2.7").is_err());
        assert_eq!(known(&households), 200);
        drop(members);
        assert_eq!(known(&households), 0);
    }

    #[test]
    fn one_of_many_warns() {
        let households = Households::new(5);
        assert!(households.may_warn(5) && !households.may_warn(6) && households.may_warn(60_000));
    }
}
