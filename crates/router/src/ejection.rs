//! Taking an endpoint out for a while after it refused a connection.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::clock::Millis;

/// The first pause; each further failure doubles it.
const FIRST_PAUSE: Millis = 250;

/// The longest pause.
const LONGEST_PAUSE: Millis = 30_000;

/// Whether an endpoint is out, and how often in a row it failed. Whoever balances may still pick it if all are out.
#[derive(Debug, Default)]
pub(crate) struct Ejection {
    failures: AtomicU32,
    until: AtomicU64,
}

impl Ejection {
    /// Takes the endpoint out: for longer the more often in a row.
    pub(crate) fn eject(&self, now: Millis) {
        let failures = self.failures.fetch_add(1, Relaxed).min(16);
        let pause = (FIRST_PAUSE << failures).min(LONGEST_PAUSE);
        self.until.store(now + pause, Relaxed);
    }

    /// Lets the endpoint back in: it accepted a connection.
    pub(crate) fn readmit(&self) {
        // The common case only reads, so that cores do not fight for the line.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.until.store(0, Relaxed);
        }
    }

    /// Whether it is out at this time.
    pub(crate) fn is_out(&self, now: Millis) -> bool {
        self.until.load(Relaxed) > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_stays_out_longer_with_every_failure() {
        let ejection = Ejection::default();
        ejection.eject(1_000);
        assert!(ejection.is_out(1_249) && !ejection.is_out(1_250));
        ejection.eject(1_250);
        assert!(ejection.is_out(1_749) && !ejection.is_out(1_750));
        for _ in 0..100 {
            ejection.eject(2_000);
        }
        assert!(ejection.is_out(31_999) && !ejection.is_out(32_000));
    }

    #[test]
    fn an_endpoint_that_accepts_again_is_back_at_once() {
        let ejection = Ejection::default();
        ejection.eject(1);
        ejection.readmit();
        assert!(!ejection.is_out(2));
        ejection.eject(1_000);
        assert!(!ejection.is_out(1_250));
    }
}
