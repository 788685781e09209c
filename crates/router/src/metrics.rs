//! What is counted of each app and release, and how Prometheus reads it.
//!
//! Counting costs a request nearly nothing: whoever found the service or endpoint holds its [`Tally`] already, and the
//! cores count apart from each other. Reading costs what it has to, in pieces, on the health port.
//!
//! The text is written here and not by a library: those look every series up in a map under a lock when it counts, and
//! write all of a page at once, which for ten thousand apps would hold up a core for a good part of a second.

mod exposition;
mod histogram;
mod reading;
mod slot;
mod tallies;
mod tally;

pub(crate) use exposition::Exposition;
pub(crate) use reading::Reading;
pub(crate) use slot::Slots;
pub(crate) use tallies::Tallies;
pub(crate) use tally::{Event, Exchange, Tally, class};

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(crate) fn add(&self) {
        self.increase(1);
    }

    /// So many more.
    pub(crate) fn increase(&self, by: u64) {
        self.0.fetch_add(by, Relaxed);
    }

    /// How many so far.
    pub(crate) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
