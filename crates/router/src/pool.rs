//! Idle connections to one endpoint, used again last in, first out.
//!
//! Each core keeps its own: a connection belongs to the event loop that it was opened on, and cores need not wait for
//! each other.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use crate::clock::Millis;
use crate::cores::Seat;
use crate::room::Room;

/// A connection that can be kept.
pub(crate) trait Keep {
    /// Whether it can take a request: open, as far as can be known, and nothing under way.
    fn is_alive(&mut self, context: &mut Context<'_>) -> bool;

    /// How long it may be kept idle, if the container said so.
    fn keep_alive(&self) -> Option<Millis>;
}

/// Idle connections to one endpoint.
pub(crate) struct Pool<L> {
    limit: usize,
    /// What all pools share.
    room: Arc<Room>,
    /// Whether the endpoint is retired: what comes back then is closed.
    is_closed: AtomicBool,
    /// By core; made when the first one is kept.
    shelves: OnceLock<Box<[Shelf<L>]>>,
}

type Shelf<L> = Mutex<Vec<Idle<L>>>;

struct Idle<L> {
    link: L,
    since: Millis,
    /// When the container said it would close it.
    expires: Millis,
}

impl<L: Keep> Pool<L> {
    /// A pool that keeps at most `limit`, evenly by core; the rest is closed.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, room: Arc::default(), is_closed: AtomicBool::new(false), shelves: OnceLock::new() }
    }

    /// The same, as far as `room` has any; to be said before anything is kept.
    pub(crate) fn within(mut self, room: &Arc<Room>) -> Self {
        self.room = Arc::clone(room);
        self
    }

    /// A connection that is alive as far as can be known and has been idle for at most `longest`.
    pub(crate) async fn take(&self, now: Millis, longest: Millis) -> Option<L> {
        loop {
            let mut link = self.pop(now, longest)?;
            // A task that has had its turn would be told that nothing has arrived, whatever has.
            let looked = tokio::task::unconstrained(poll_fn(|context| Poll::Ready(link.is_alive(context))));
            if looked.await {
                return Some(link);
            }
        }
    }

    /// Keeps `link` for the next request on this core.
    pub(crate) fn put(&self, link: L, now: Millis) {
        let expires = link.keep_alive().map_or(Millis::MAX, |keep_alive| now + keep_alive);
        let seat = Seat::current();
        let shelves = self.shelves.get_or_init(|| (0..seat.count).map(|_| Shelf::default()).collect());
        let limit = self.limit.div_ceil(shelves.len());
        let core = seat.index % shelves.len();
        let mut shelf = lock(&shelves[core]);
        if shelf.len() < limit && !self.is_closed.load(SeqCst) && self.room.take(core) {
            shelf.push(Idle { link, since: now, expires });
        } else {
            // Closing is a system call: not under the lock.
            drop(shelf);
            drop(link);
        }
    }

    /// Closes those that have been idle for longer than `longest` or that the container is about to close.
    pub(crate) fn reap(&self, now: Millis, longest: Millis) {
        let is_stale = |idle: &mut Idle<L>| idle.expires <= now || now.saturating_sub(idle.since) > longest;
        for (core, shelf) in self.shelves.get().into_iter().flatten().enumerate() {
            let stale: Vec<_> = lock(shelf).extract_if(.., is_stale).collect();
            self.room.give_back(core, stale.len());
            drop(stale);
        }
    }

    fn pop(&self, now: Millis, longest: Millis) -> Option<L> {
        let shelves = self.shelves.get()?;
        let core = Seat::current().index % shelves.len();
        let mut shelf = lock(&shelves[core]);
        loop {
            // The last one in is the freshest: if it is too old, so are all.
            if now.saturating_sub(shelf.last()?.since) > longest {
                return None;
            }
            let candidate = shelf.pop()?;
            self.room.give_back(core, 1);
            if candidate.expires > now {
                return Some(candidate.link);
            }
        }
    }
}

impl<L> Pool<L> {
    /// Closes all, now and from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        for (core, shelf) in self.shelves.get().into_iter().flatten().enumerate() {
            let idle = std::mem::take(&mut *lock(shelf));
            self.room.give_back(core, idle.len());
            drop(idle);
        }
    }
}

impl<L> Drop for Pool<L> {
    fn drop(&mut self) {
        self.close();
    }
}

/// The content, also after a panic elsewhere: the list is whole between calls.
fn lock<L>(shelf: &Shelf<L>) -> MutexGuard<'_, Vec<Idle<L>>> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Wire(u32);

    impl Keep for Wire {
        fn is_alive(&mut self, _context: &mut Context<'_>) -> bool {
            self.0 < 100
        }

        fn keep_alive(&self) -> Option<Millis> {
            (self.0 == 7).then_some(5)
        }
    }

    async fn take(pool: &Pool<Wire>, now: Millis) -> Option<u32> {
        pool.take(now, 50).await.map(|wire| wire.0)
    }

    #[tokio::test]
    async fn the_last_kept_is_used_first_and_the_dead_never() {
        let pool = Pool::new(3);
        for (number, now) in [(1, 10), (100, 11), (2, 12), (3, 13)] {
            pool.put(Wire(number), now);
        }
        assert_eq!((take(&pool, 20).await, take(&pool, 20).await), (Some(2), Some(1)));
        assert_eq!(take(&pool, 20).await, None);
    }

    #[tokio::test]
    async fn what_is_too_old_is_not_used() {
        let pool = Pool::new(3);
        pool.put(Wire(1), 10);
        pool.put(Wire(7), 10);
        assert_eq!(take(&pool, 15).await, Some(1));
        pool.put(Wire(2), 10);
        assert_eq!(take(&pool, 61).await, None);
        pool.reap(61, 50);
        assert_eq!(take(&pool, 20).await, None);
    }

    #[tokio::test]
    async fn a_core_gets_only_its_own() {
        let pool = Pool::new(8);
        let put = |index, number| {
            let pool = &pool;
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    Seat { index, count: 2 }.take();
                    pool.put(Wire(number), 1);
                });
            });
        };
        put(1, 1);
        put(0, 2);
        assert_eq!((take(&pool, 2).await, take(&pool, 2).await), (Some(2), None));
    }

    #[tokio::test]
    async fn pools_keep_no_more_together_than_there_is_room_for() {
        let room = Arc::new(Room::new(3, 1));
        let (first, second) = (Pool::new(8).within(&room), Pool::new(8).within(&room));
        (0..2).for_each(|number| first.put(Wire(number), 1));
        (2..4).for_each(|number| second.put(Wire(number), 1));
        assert_eq!((take(&second, 2).await, take(&second, 2).await), (Some(2), None));
        second.put(Wire(7), 1);
        assert_eq!(room.kept(), 3);
        second.reap(100, 50);
        assert_eq!(room.kept(), 2);
        drop(first);
        assert_eq!(room.kept(), 0);
    }

    #[tokio::test]
    async fn a_closed_pool_keeps_nothing() {
        let pool = Pool::new(8);
        pool.put(Wire(1), 1);
        pool.close();
        pool.put(Wire(2), 1);
        assert_eq!(take(&pool, 2).await, None);
    }
}
