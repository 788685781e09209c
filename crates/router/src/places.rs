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
    limit: Arc<Limit>,
    /// How many are taken, by core.
    taken: Arc<[AtomicUsize]>,
}

/// How many there are.
struct Limit {
    places: AtomicUsize,
    /// How many of those that are taken are not to be taken again: there were more once.
    surplus: AtomicUsize,
}

/// A connection's place, given back when dropped.
pub(crate) struct Place {
    /// None once it is given back.
    permit: Option<OwnedSemaphorePermit>,
    limit: Arc<Limit>,
    /// Whom it is counted for.
    _member: Member,
    taken: Arc<[AtomicUsize]>,
    core: usize,
}

impl Places {
    /// `limit` places on `cores` cores.
    pub(crate) fn new(limit: usize, cores: usize) -> Self {
        let places = limit.min(Semaphore::MAX_PERMITS);
        let limit = Limit { places: AtomicUsize::new(places), surplus: AtomicUsize::new(0) };
        let taken = (0..cores.max(1)).map(|_| AtomicUsize::new(0)).collect();
        Self { free: Semaphore::new(places).into(), limit: limit.into(), taken }
    }

    /// Makes them `limit`. Who has one keeps it: if there are too many, they go as they are given back. Called by one task at
    /// a time.
    pub(crate) fn resize(&self, limit: usize) {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        let before = self.limit.places.swap(limit, Relaxed);
        let fewer = before.saturating_sub(limit);
        let surplus = fewer - self.free.forget_permits(fewer);
        self.limit.surplus.fetch_add(surplus, Relaxed);
        let more = (before..limit).filter(|_| !self.limit.settle()).count();
        self.free.add_permits(more);
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
        Place {
            permit: Some(permit),
            limit: Arc::clone(&self.limit),
            _member: Member::default(),
            taken: Arc::clone(&self.taken),
            core,
        }
    }
}

impl Limit {
    /// Takes one off the surplus; whether there was any.
    fn settle(&self) -> bool {
        // Mostly there is none, and then nothing is written.
        self.surplus.load(Relaxed) > 0
            && self.surplus.fetch_update(Relaxed, Relaxed, |surplus| surplus.checked_sub(1)).is_ok()
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
        if let Some(permit) = self.permit.take().filter(|_| self.limit.settle()) {
            permit.forget();
        }
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
    fn their_number_can_change_and_nobody_loses_one() {
        let places = Places::new(4, 1);
        let take = || std::iter::from_fn(|| places.try_take()).collect::<Vec<_>>();
        let mut taken = take();
        assert_eq!(taken.len(), 4);
        places.resize(2);
        taken.truncate(2);
        assert!(places.are_taken() && places.try_take().is_none(), "two went with those who left");
        taken.truncate(1);
        assert_eq!(take().len(), 1);
        places.resize(1);
        places.resize(3);
        assert_eq!(take().len(), 2);
        drop(taken);
        assert_eq!(take().len(), 3);
        places.resize(0);
        assert!(places.try_take().is_none());
        places.resize(5);
        assert_eq!(take().len(), 5);
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
