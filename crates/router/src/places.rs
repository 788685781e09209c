//! Places for visitors' connections: how many there may be, and how many each core has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::cores::Seat;
use crate::households::Member;

/// How many connections more than the least busy core another may have before it hands new ones over. Less is not worth
/// the way.
const TOLERANCE: usize = 2;

/// The same as a part of what the least busy core has: one in so many.
const PART: usize = 8;

/// The places of one router.
#[derive(Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// How many are taken, by core.
    taken: Arc<[AtomicUsize]>,
}

/// A connection's place, given back when dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    /// Whom it is counted for.
    _member: Member,
    taken: Arc<[AtomicUsize]>,
    core: usize,
}

impl Places {
    /// `limit` places on `cores` cores.
    pub(crate) fn new(limit: usize, cores: usize) -> Self {
        let free = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { free, taken: (0..cores.max(1)).map(|_| AtomicUsize::new(0)).collect() }
    }

    /// Whether none is left.
    pub(crate) fn are_taken(&self) -> bool {
        self.free.available_permits() == 0
    }

    /// A place on the calling thread's core; waits until there is one.
    pub(crate) async fn take(&self) -> Place {
        if let Some(place) = self.try_take() {
            return place;
        }
        tracing::warn!("as many clients are connected as may be; further ones wait");
        let permit = Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed");
        self.place(permit)
    }

    /// The same, or none if none is left.
    pub(crate) fn try_take(&self) -> Option<Place> {
        Arc::clone(&self.free).try_acquire_owned().ok().map(|permit| self.place(permit))
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        let core = Seat::current().index % self.taken.len();
        self.taken[core].fetch_add(1, Relaxed);
        Place { _permit: permit, _member: Member::default(), taken: Arc::clone(&self.taken), core }
    }
}

impl Place {
    /// The same, counted for this client as long as it is taken.
    pub(crate) fn of(self, member: Member) -> Self {
        let mut place = self;
        // Which gives back the one before.
        place._member = member;
        place
    }

    /// Moves to the least busy core if that has much less to do; says which it is.
    pub(crate) fn even_out(&mut self) -> Option<usize> {
        let taken = |core: usize| self.taken[core].load(Relaxed);
        let least = (0..self.taken.len()).min_by_key(|core| taken(*core))?;
        let bearable = taken(least) + taken(least) / PART + TOLERANCE;
        if taken(self.core) <= bearable {
            return None;
        }
        self.taken[self.core].fetch_sub(1, Relaxed);
        self.taken[least].fetch_add(1, Relaxed);
        self.core = least;
        Some(least)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken[self.core].fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(places: &Places) -> Vec<usize> {
        places.taken.iter().map(|taken| taken.load(Relaxed)).collect()
    }

    #[tokio::test]
    async fn places_are_limited_and_given_back() {
        let places = Places::new(2, 1);
        let (first, second) = (places.take().await, places.take().await);
        assert!(places.are_taken() && places.try_take().is_none());
        drop(first);
        assert!(!places.are_taken() && places.try_take().is_some());
        drop(second);
        assert_eq!(taken(&places), [0]);
    }

    #[test]
    fn a_crowded_core_hands_over_until_the_difference_is_small() {
        let places = Places::new(1000, 3);
        let mut seated: Vec<Place> = (0..40).map(|_| places.try_take().unwrap()).collect();
        assert_eq!(taken(&places), [40, 0, 0]);
        let moved = seated.iter_mut().filter_map(Place::even_out).count();
        let after = taken(&places);
        assert!(moved > 10 && after[0] <= after[1].min(after[2]) * 9 / 8 + TOLERANCE, "{after:?}");
        assert_eq!(after.iter().sum::<usize>(), 40);
        assert!(seated.iter_mut().all(|place| place.core != 0 || place.even_out().is_none()));
        drop(seated);
        assert_eq!(taken(&places), [0, 0, 0]);
    }

    #[test]
    fn a_single_core_keeps_all() {
        let places = Places::new(1000, 1);
        let mut seated: Vec<Place> = (0..100).map(|_| places.try_take().unwrap()).collect();
        assert!(seated.iter_mut().all(|place| place.even_out().is_none()));
    }
}
