//! How fast a client sends a body, as long as it is the one that is waited for.
//!
//! A client that sends next to nothing costs it nothing, and holds a connection here and one of the app's. So it must
//! say something now and then, and at least at a certain rate on average, after a while for a start. Time in which
//! nobody waits for it, as the app takes nothing in, is not held against it. Source: Apache's mod_reqtimeout.

use crate::clock::Millis;

/// What is asked of a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    /// How long it may send nothing.
    pub(crate) silence: Millis,
    /// How long it may take in all before the rate counts.
    pub(crate) grace: Millis,
    /// Bytes for each second after that.
    pub(crate) rate: u64,
}

/// What a client has done of it.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Since when it is waited for; 0 if it is not.
    since: Millis,
    /// How long it was waited for before that, in all and since the last byte.
    waited: Millis,
    silent: Millis,
    received: u64,
}

impl Pace {
    /// It is waited for, if it was not before.
    pub(crate) fn wait(&mut self, now: Millis) {
        if self.since == 0 {
            self.since = now;
        }
    }

    /// It is not waited for any more, and so many bytes came.
    pub(crate) fn rest(&mut self, now: Millis, bytes: u64) {
        let waited = self.present(now);
        self.since = 0;
        self.waited += waited;
        self.silent = if bytes > 0 { 0 } else { self.silent + waited };
        self.received += bytes;
    }

    /// It is neither waited for nor has it been since the last byte: something else was going on.
    pub(crate) fn forgive(&mut self) {
        (self.since, self.silent) = (0, 0);
    }

    /// Whether it does less than what is asked of it.
    pub(crate) fn is_too_slow(&self, now: Millis, demand: Demand) -> bool {
        let present = self.present(now);
        let counted = (self.waited + present).saturating_sub(demand.grace);
        let is_silent = self.silent + present > demand.silence;
        is_silent || counted.saturating_mul(demand.rate) > self.received.saturating_mul(1000)
    }

    fn present(&self, now: Millis) -> Millis {
        if self.since == 0 { 0 } else { now.saturating_sub(self.since) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMAND: Demand = Demand { silence: 60_000, grace: 30_000, rate: 240 };

    /// Bytes come after the client was waited for and then after nobody waited, each so many seconds. Whether it is too
    /// slow, with the client waited for this long by then.
    fn check(history: &[(Millis, u64, Millis)], waiting: Millis, expected: bool) {
        let (mut pace, mut now) = (Pace::default(), 1);
        for (waited, bytes, idle) in history {
            pace.wait(now);
            now += waited * 1000;
            pace.rest(now, *bytes);
            now += idle * 1000;
        }
        pace.wait(now);
        assert_eq!(pace.is_too_slow(now + waiting * 1000, DEMAND), expected, "{history:?} {waiting}");
    }

    #[test]
    fn a_client_must_say_something() {
        check(&[], 30, false);
        check(&[(1, 1_000_000, 0)], 60, false);
        check(&[(1, 1_000_000, 0)], 61, true);
        // What is empty says nothing.
        check(&[(1, 1_000_000, 0), (40, 0, 0)], 21, true);
    }

    #[test]
    fn after_a_while_it_must_keep_to_a_rate() {
        check(&[], 31, true);
        check(&[(20, 240, 0)], 11, false);
        check(&[(20, 240, 0)], 12, true);
        check(&[(20, 1, 0), (20, 1, 0)], 0, true);
        check(&[(300, 240 * 270, 0)], 0, false);
    }

    #[test]
    fn time_in_which_nobody_waits_does_not_count() {
        check(&[(20, 1, 10_000), (9, 1, 10_000)], 1, false);
        let mut pace = Pace::default();
        pace.wait(1);
        pace.forgive();
        assert!(!pace.is_too_slow(1_000_000, DEMAND));
    }
}
