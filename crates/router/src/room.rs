//! What there is room for in a router: idle connections that it keeps, and new ones.
//!
//! Files and ports are the system's to give, and it has only so many. That none is left for one more connection says
//! nothing of the endpoint which that was for.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use rustix::io::Errno;

use crate::clock::Millis;

/// Of those who find at about the same time that there is no room, one makes some.
const PAUSE: Millis = 100;

/// Counts the idle connections that are kept to all endpoints together. Each core has its part, so that they need not
/// agree.
pub(crate) struct Room {
    /// How many each core may keep.
    most: usize,
    kept: Box<[Kept]>,
    /// When room may be made again.
    next: AtomicU64,
}

/// Of one core; begins where no other core's memory is fetched along with it.
#[derive(Default)]
#[repr(align(128))]
struct Kept(AtomicUsize);

impl Default for Room {
    /// Room for any number.
    fn default() -> Self {
        Self::new(usize::MAX, 1)
    }
}

impl Room {
    /// Room for `limit` idle connections on `cores` cores.
    pub(crate) fn new(limit: usize, cores: usize) -> Self {
        let kept: Box<[_]> = (0..cores.max(1)).map(|_| Kept::default()).collect();
        Self { most: limit.div_ceil(kept.len()), kept, next: AtomicU64::new(0) }
    }

    /// Whether `core` may keep one more, which counts from now on.
    pub(crate) fn take(&self, core: usize) -> bool {
        let may_keep = self.of(core).fetch_add(1, Relaxed) < self.most;
        if !may_keep {
            self.give_back(core, 1);
        }
        may_keep
    }

    /// `core` keeps so many less.
    pub(crate) fn give_back(&self, core: usize, count: usize) {
        self.of(core).fetch_sub(count, Relaxed);
    }

    /// How many are kept.
    pub(crate) fn kept(&self) -> usize {
        self.kept.iter().map(|kept| kept.0.load(Relaxed)).sum()
    }

    /// Whether it is the caller who shall make room.
    pub(crate) fn may_clear(&self, now: Millis) -> bool {
        self.next.fetch_update(Relaxed, Relaxed, |next| (next <= now).then_some(now + PAUSE)).is_ok()
    }

    fn of(&self, core: usize) -> &AtomicUsize {
        &self.kept[core % self.kept.len()].0
    }
}

/// Whether `error` says that the system has no room for one more connection, whomever it is to.
pub(crate) fn is_full(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::ADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_keeps_its_part() {
        let room = Room::new(4, 2);
        assert!(room.take(0) && room.take(0) && !room.take(0));
        assert!(room.take(1));
        room.give_back(0, 2);
        assert!(room.take(0));
        assert_eq!(room.kept(), 2);
    }

    #[test]
    fn one_of_many_makes_room() {
        let room = Room::default();
        assert!(room.may_clear(5) && !room.may_clear(5) && !room.may_clear(5 + PAUSE - 1));
        assert!(room.may_clear(5 + PAUSE));
    }

    #[test]
    fn want_of_room_is_told_from_refusal() {
        let is_full = |error: Errno| is_full(&error.into());
        assert!(is_full(Errno::MFILE) && is_full(Errno::NFILE) && is_full(Errno::ADDRNOTAVAIL));
        assert!(!is_full(Errno::CONNREFUSED) && !is_full(Errno::TIMEDOUT));
    }
}
