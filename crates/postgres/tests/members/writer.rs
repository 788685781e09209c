//! Somebody who writes one number after the other and remembers which of them were acknowledged.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;

use crate::hosts::Hosts;

/// What a writer and those who wait for it share.
#[derive(Default)]
pub(crate) struct Progress {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

impl Progress {
    /// Waits until one more write that began after now is acknowledged.
    pub(crate) fn await_write(&self, hosts: &Hosts) {
        // The one under way may have been acknowledged by a host that is gone.
        let after = self.acknowledged.load(Ordering::SeqCst) + 2;
        hosts.until("writes are acknowledged", |_| {
            (self.acknowledged.load(Ordering::SeqCst) >= after).then_some(())
        });
    }

    /// Ends the writer; gives back what was acknowledged.
    pub(crate) fn end(&self, writer: ScopedJoinHandle<'_, Vec<u64>>) -> Vec<u64> {
        self.stop.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    }

    /// Has `run` execute one write after the other until told to end; it tells whether each was acknowledged.
    pub(crate) fn write(&self, run: impl Fn(&str) -> bool) -> Vec<u64> {
        let mut acknowledged = Vec::new();
        for number in 1.. {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            if run(&format!("INSERT INTO written VALUES ({number})")) {
                acknowledged.push(number);
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            }
        }
        acknowledged
    }
}

/// Every number that was acknowledged is there.
pub(crate) fn check(hosts: &Hosts, members: &[&str], acknowledged: &[u64]) {
    let found = hosts.answer(members, "SELECT string_agg(number::text, ' ') FROM written");
    let found: std::collections::BTreeSet<u64> =
        found.split(' ').map(|number| number.parse().unwrap()).collect();
    let missing: Vec<&u64> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
    assert!(missing.is_empty(), "{missing:?} of {} were acknowledged and are gone", acknowledged.len());
    assert!(acknowledged.len() > 5, "hardly anything was written");
}
