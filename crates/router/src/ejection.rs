//! Taking an endpoint out for a while: at once when it accepts no connection, after several requests in a row that got
//! no answer when it does.
//!
//! Who takes it out hands it to the prober, and then it is out until a probe finds it well (see `probe`). Without a prober
//! it comes back when its pause is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

use crate::clock::Millis;
use crate::endpoint::Endpoint;

/// The first pause; each further one in a row is twice as long.
const FIRST_PAUSE: Millis = 25;

/// Of those that accept connections the first pause is as long as the seventh of others.
const LONG: u32 = 6;

/// The longest pause.
const LONGEST_PAUSE: Millis = 5_000;

/// How long to wait with a probe that the router has no room for.
const PUT_OFF: Millis = 1_000;

/// How many requests in a row may bring no answer before the endpoint is out.
const STRIKES: u32 = 5;

/// Whether an endpoint is out, and how often in a row it was taken out. Whoever balances may still pick it if all are.
#[derive(Debug, Default)]
pub(crate) struct Ejection {
    /// How often in a row.
    times: AtomicU32,
    /// When its pause ends; 0 when it is not out.
    until: AtomicU64,
    /// Whether it stays out after its pause, until a probe found it well.
    is_probed: AtomicBool,
    /// Whether it accepted connections when it was last taken out.
    is_unwell: AtomicBool,
    /// Requests in a row that brought no answer.
    strikes: AtomicU32,
}

impl Ejection {
    /// Takes the endpoint out: for longer the more often in a row. Whether it was in.
    pub(crate) fn eject(&self, now: Millis) -> bool {
        self.is_unwell.store(false, Relaxed);
        self.pause(now)
    }

    /// The same for one that accepts connections: the first pause is longer, as a probe will find it well, or asks more
    /// of it.
    pub(crate) fn eject_for_long(&self, now: Millis) -> bool {
        self.is_unwell.store(true, Relaxed);
        self.times.fetch_max(LONG, Relaxed);
        self.pause(now)
    }

    fn pause(&self, now: Millis) -> bool {
        let was_in = !self.is_out(now);
        let times = self.times.fetch_add(1, Relaxed).min(16);
        let pause = (FIRST_PAUSE << times).min(LONGEST_PAUSE);
        self.until.store(now + pause, SeqCst);
        was_in
    }

    /// Makes the pause of one that is out longer, without counting it: nothing new is known of the endpoint.
    pub(crate) fn put_off(&self, now: Millis) {
        // In vain if it has been let in meanwhile.
        let _ = self.until.fetch_update(SeqCst, SeqCst, |until| (until != 0).then_some(now + PUT_OFF));
    }

    /// Ends the pause of one that had accepted no connections: it does now.
    pub(crate) fn hasten(&self, now: Millis) {
        // 0 would say that it is in.
        let now = now.max(1);
        if self.until.load(Relaxed) > now && !self.is_unwell.load(Relaxed) {
            // In vain if it has been let in meanwhile.
            let _ = self.until.fetch_update(SeqCst, SeqCst, |until| (until != 0).then_some(now));
        }
    }

    /// Lets the endpoint in: it was reached. Whether it was out. How often it was out counts on until it answers.
    pub(crate) fn readmit(&self) -> bool {
        // The common case only reads, so that cores do not fight for the line.
        if self.until.load(Relaxed) == 0 {
            return false;
        }
        self.is_probed.store(false, SeqCst);
        self.until.swap(0, SeqCst) != 0
    }

    /// The endpoint brought an answer.
    pub(crate) fn forgive(&self) {
        if self.strikes.load(Relaxed) != 0 {
            self.strikes.store(0, Relaxed);
        }
        if self.times.load(Relaxed) != 0 {
            self.times.store(0, Relaxed);
        }
    }

    /// A request brought no answer. Whether that makes too many in a row.
    pub(crate) fn strike(&self) -> bool {
        // One who was out is let in on probation: the next failure counts at once.
        let probation = self.times.load(Relaxed).min(1) * (STRIKES - 1);
        self.strikes.fetch_add(1, Relaxed) + 1 + probation >= STRIKES
    }

    /// A prober takes charge of it. Whether none had.
    pub(crate) fn claim(&self) -> bool {
        !self.is_probed.swap(true, SeqCst)
    }

    /// The prober lets go of it: it comes back when its pause is over.
    pub(crate) fn unclaim(&self) {
        self.is_probed.store(false, SeqCst);
    }

    /// The same for a prober that found it in. Whether it is out again, and the prober's to go on with.
    ///
    /// Whoever takes it out meanwhile finds it claimed and leaves it to the prober. Unclaiming first and asking second,
    /// with `eject` and `claim` the other way round and all in one order, makes sure that one of the two sees it.
    pub(crate) fn hand_back(&self) -> bool {
        self.unclaim();
        self.until() != 0 && self.claim()
    }

    /// When its pause ends; 0 when it is not out.
    pub(crate) fn until(&self) -> Millis {
        self.until.load(SeqCst)
    }

    /// Whether it is out at this time.
    pub(crate) fn is_out(&self, now: Millis) -> bool {
        let until = self.until.load(Relaxed);
        until != 0 && (until > now || self.is_probed.load(Relaxed))
    }
}

/// Whether one more of `endpoints` may be taken out although it accepts connections: at most half of them are out, or
/// those that are left would break down under what all of them had to do.
pub(crate) fn has_others(endpoints: &[Arc<Endpoint>], now: Millis) -> bool {
    (out(endpoints, now) + 1) * 2 <= endpoints.len()
}

/// Whether there are any, and no more than half of them are out.
pub(crate) fn has_half(endpoints: &[Arc<Endpoint>], now: Millis) -> bool {
    !endpoints.is_empty() && out(endpoints, now) * 2 <= endpoints.len()
}

fn out(endpoints: &[Arc<Endpoint>], now: Millis) -> usize {
    endpoints.iter().filter(|endpoint| endpoint.ejection.is_out(now)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_stays_out_longer_with_every_time() {
        let ejection = Ejection::default();
        assert!(ejection.eject(1_000));
        assert!(ejection.is_out(1_024) && !ejection.is_out(1_025));
        ejection.eject(1_250);
        assert!(ejection.is_out(1_299) && !ejection.is_out(1_300));
        for _ in 0..100 {
            ejection.eject(2_000);
        }
        assert!(ejection.is_out(6_999) && !ejection.is_out(7_000));
    }

    #[test]
    fn an_endpoint_that_is_probed_stays_out_until_it_was_reached() {
        let ejection = Ejection::default();
        ejection.eject(1);
        assert!(ejection.claim() && !ejection.claim());
        assert!(ejection.is_out(1_000_000));
        assert!(ejection.readmit() && !ejection.readmit());
        assert!(!ejection.is_out(2));
    }

    #[test]
    fn only_one_that_accepted_nothing_is_hastened() {
        let ejection = Ejection::default();
        ejection.hasten(1_000);
        assert_eq!(ejection.until(), 0);
        ejection.eject(1_000);
        ejection.hasten(1_001);
        assert_eq!(ejection.until(), 1_001);
        ejection.eject_for_long(1_001);
        ejection.hasten(1_002);
        assert!(ejection.until() > 2_000);
    }

    #[test]
    fn a_probe_that_is_put_off_counts_for_nothing() {
        let ejection = Ejection::default();
        ejection.put_off(1_000);
        assert_eq!(ejection.until(), 0);
        ejection.eject(1_000);
        ejection.put_off(1_000);
        assert_eq!(ejection.until(), 1_000 + PUT_OFF);
        ejection.eject(3_000);
        assert_eq!(ejection.until(), 3_050);
    }

    #[test]
    fn an_endpoint_that_is_out_again_stays_with_its_prober() {
        let ejection = Ejection::default();
        ejection.eject(1);
        assert!(ejection.claim());
        ejection.readmit();
        // Another core takes it out after the prober looked.
        ejection.eject(2);
        assert!(ejection.hand_back() && !ejection.claim());
        ejection.readmit();
        assert!(!ejection.hand_back() && ejection.claim());
    }

    #[test]
    fn only_an_answer_makes_the_next_pause_short_again() {
        let ejection = Ejection::default();
        ejection.eject(1_000);
        ejection.readmit();
        ejection.eject(2_000);
        assert_eq!(ejection.until(), 2_050);
        ejection.readmit();
        ejection.forgive();
        ejection.eject(3_000);
        assert_eq!(ejection.until(), 3_025);
    }

    #[test]
    fn silence_counts_when_it_comes_in_a_row() {
        let ejection = Ejection::default();
        for _ in 0..3 {
            assert!((1..STRIKES).all(|_| !ejection.strike()));
            ejection.forgive();
        }
        assert!((1..STRIKES).all(|_| !ejection.strike()) && ejection.strike());
        ejection.eject(1);
        ejection.readmit();
        assert!(ejection.strike(), "on probation");
    }

    #[test]
    fn at_most_half_of_the_endpoints_are_out_while_they_accept_connections() {
        let endpoint = |port| Arc::new(Endpoint::new(([127, 0, 0, 1], port).into(), None, 1, Arc::default()));
        let endpoints: Vec<_> = (1..=5).map(endpoint).collect();
        let out =
            endpoints.iter().take_while(|endpoint| has_others(&endpoints, 1) && endpoint.ejection.eject(1));
        assert_eq!(out.count(), 2);
        assert!(!has_others(&endpoints[..1], 1));
    }
}
