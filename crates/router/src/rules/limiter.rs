//! Counting requests of clients, to hold them to a pace.
//!
//! Each client of each service has a place with the time at which it will have paid for all it has sent (the generic
//! cell rate algorithm: one number instead of a bucket and its last refill). Places are in sets of a few; a client that
//! has none takes that of the one who has paid longest ago. So memory is bounded whatever comes, all cores share the
//! count, and none waits for another: a place is one atomic number.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::households::household;

/// Places in a set, which one cache line holds.
const WAYS: usize = 8;

/// How many sets: in all 512 KiB, once any service has a limit.
const SETS: usize = 8192;

/// How often a place is tried for that others change at the same time; then the request passes.
const TRIES: usize = 16;

/// The lower part of a place is a time in microseconds, enough for nine years; the upper part tells clients apart.
const TIME_BITS: u32 = 48;

/// Holds clients to a pace.
pub(crate) struct Limiter {
    started: Instant,
    hasher: RandomState,
    places: OnceLock<Box<[AtomicU64]>>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { started: Instant::now(), hasher: RandomState::new(), places: OnceLock::new() }
    }
}

impl Limiter {
    /// Counts a request of `client` to `service`, of which there may be one for each `interval`, and `burst` at once
    /// after a while without any; or says how long to wait.
    pub(crate) fn take(
        &self,
        service: u64,
        client: IpAddr,
        interval: Duration,
        burst: u32,
    ) -> Result<(), Duration> {
        self.take_at(micros(self.started.elapsed()), self.hash(service, client), interval, burst)
    }

    fn hash(&self, service: u64, client: IpAddr) -> u64 {
        self.hasher.hash_one((service, household(client)))
    }

    fn take_at(&self, now: u64, client: u64, interval: Duration, burst: u32) -> Result<(), Duration> {
        let interval = micros(interval).max(1);
        let longest = interval.saturating_mul(u64::from(burst));
        let tag = client >> TIME_BITS;
        for _ in 0..TRIES {
            let (place, held, paid) = self.place(client, tag);
            let next = paid.max(now).saturating_add(interval);
            if let Some(wait) = (next - now).checked_sub(longest).filter(|wait| *wait > 0) {
                return Err(Duration::from_micros(wait));
            }
            let packed = (tag << TIME_BITS) | (next & ((1 << TIME_BITS) - 1));
            if place.compare_exchange_weak(held, packed, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The place of a client, what it holds, and until when that client has paid; if it has none, the place of the one
    /// in its set who has paid longest ago.
    fn place(&self, client: u64, tag: u64) -> (&AtomicU64, u64, u64) {
        let places = self.places.get_or_init(|| (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect());
        let set = usize::try_from(client % SETS as u64).expect("below SETS") * WAYS;
        let read = |place| {
            let held = AtomicU64::load(place, Relaxed);
            (place, held, held & ((1 << TIME_BITS) - 1))
        };
        let set = || places[set..set + WAYS].iter().map(read);
        match set().find(|(_, held, _)| held >> TIME_BITS == tag) {
            Some(own) => own,
            None => {
                let (place, held, _) = set().min_by_key(|(_, _, paid)| *paid).expect("a set has places");
                (place, held, 0)
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// How many of `asked` requests at `now` pass, at two a second and three at once.
    fn passed(limiter: &Limiter, client: &str, now: u64, asked: usize) -> usize {
        let client = limiter.hash(1, client.parse().unwrap());
        let take = || limiter.take_at(now, client, Duration::from_millis(500), 3);
        (0..asked).filter(|_| take().is_ok()).count()
    }

    #[test]
    fn a_burst_passes_then_the_rate() {
        let limiter = Limiter::default();
        assert_eq!(passed(&limiter, "192.0.2.1", SECOND, 10), 3);
        assert_eq!(passed(&limiter, "192.0.2.1", SECOND, 10), 0);
        assert_eq!(passed(&limiter, "192.0.2.1", 2 * SECOND, 10), 2);
        assert_eq!(passed(&limiter, "192.0.2.1", 60 * SECOND, 10), 3);
    }

    #[test]
    fn whoever_is_refused_learns_when_to_come_again() {
        let limiter = Limiter::default();
        passed(&limiter, "192.0.2.1", SECOND, 3);
        let client = limiter.hash(1, "192.0.2.1".parse().unwrap());
        let wait = limiter.take_at(SECOND, client, Duration::from_millis(500), 3).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert!(limiter.take_at(SECOND + micros(wait), client, Duration::from_millis(500), 3).is_ok());
    }

    #[test]
    fn clients_and_services_are_counted_apart_and_households_together() {
        let limiter = Limiter::default();
        assert_eq!(passed(&limiter, "2001:db8::1", SECOND, 10), 3);
        assert_eq!(passed(&limiter, "2001:db8::ffff:2", SECOND, 10), 0, "the same 64 bits");
        assert_eq!(passed(&limiter, "2001:db8:0:1::1", SECOND, 10), 3);
        assert_eq!(passed(&limiter, "192.0.2.2", SECOND, 10), 3);
        assert_eq!(passed(&limiter, "::ffff:192.0.2.2", SECOND, 10), 0, "the same address");
        let other = limiter.hash(2, "192.0.2.2".parse().unwrap());
        assert!(limiter.take_at(SECOND, other, Duration::from_millis(500), 3).is_ok());
    }

    #[test]
    fn any_number_of_clients_takes_no_more_memory() {
        let limiter = Limiter::default();
        for number in 0..200_000_u32 {
            let client = limiter.hash(1, IpAddr::V4(number.into()));
            assert!(limiter.take_at(SECOND, client, Duration::from_secs(1), 1_000_000).is_ok());
        }
        assert_eq!(limiter.places.get().unwrap().len(), SETS * WAYS);
    }

    #[test]
    fn cores_share_one_count() {
        let limiter = Limiter::default();
        let client = limiter.hash(1, IpAddr::from([192, 0, 2, 1]));
        let take = || limiter.take_at(SECOND, client, Duration::from_secs(1), 1000).is_ok();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..500).filter(|_| take()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert!(passed >= 1000, "{passed}");
    }
}
