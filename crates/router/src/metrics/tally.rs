//! What is counted of one release of one app.

use std::time::Duration;

use deis_model::{AppId, ReleaseVersion};
use http::StatusCode;

use super::histogram::{Distribution, Histogram};
use super::{Counter, Slots};

/// What is counted of one release of one app. Everything that serves the release shares one.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The app; none if it is the platform's API.
    pub(crate) app: Option<AppId>,
    /// None of the API, and of an app before its first deploy.
    pub(crate) release: Option<ReleaseVersion>,
    counts: Slots<Counts>,
}

/// A request that was answered, as far as it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    /// What the client got.
    pub(crate) status: StatusCode,
    /// From the request's head to that of the answer.
    pub(crate) first_byte: Duration,
    /// From the request's head to the answer's last byte, or the moment when it broke off.
    pub(crate) whole: Duration,
    /// Bytes of the request's body that were read.
    pub(crate) received: u64,
    /// Bytes of the answer's body that were sent.
    pub(crate) sent: u64,
}

/// Something that happened to a request besides being answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It was sent once more.
    Retry,
    /// Its endpoint was taken out.
    Ejection,
    /// It waited for an endpoint.
    Queued,
    /// It was one too many.
    Limited,
    /// A rule of its app forbade it.
    Refused,
    /// Its app's answer had begun and did not come to its end.
    CutOff,
    /// It was no request but a connection, which a container accepted as it is.
    Connection,
    /// The same, and none accepted it.
    Unconnected,
}

/// All events, in the order in which they are shown.
pub(super) const EVENTS: [Event; 8] = [
    Event::Retry,
    Event::Ejection,
    Event::Queued,
    Event::Limited,
    Event::Refused,
    Event::CutOff,
    Event::Connection,
    Event::Unconnected,
];

#[derive(Debug, Default)]
struct Counts {
    /// By the first digit of the status, 1 to 5.
    classes: [Counter; 5],
    first_byte: Histogram,
    whole: Histogram,
    received: Counter,
    sent: Counter,
    events: [Counter; EVENTS.len()],
}

/// What a tally holds at one moment.
#[derive(Debug, Default)]
pub(super) struct Sum {
    /// See [`Exchange::status`].
    pub(super) classes: [u64; 5],
    /// See [`Exchange::first_byte`].
    pub(super) first_byte: Distribution,
    /// See [`Exchange::whole`].
    pub(super) whole: Distribution,
    /// See [`Exchange::received`].
    pub(super) received: u64,
    /// See [`Exchange::sent`].
    pub(super) sent: u64,
    /// In the order of [`EVENTS`].
    pub(super) events: [u64; EVENTS.len()],
}

impl Tally {
    /// Of `release` of `app`, counted from nothing.
    pub(crate) fn new(app: Option<AppId>, release: Option<ReleaseVersion>) -> Self {
        Self { app, release, counts: Slots::default() }
    }

    /// Counts a request that was answered. Called at its end, once.
    pub(crate) fn record(&self, exchange: &Exchange) {
        let counts = self.counts.mine();
        if let Some(class) = counts.classes.get(class(exchange.status)) {
            class.add();
        }
        counts.first_byte.observe(exchange.first_byte);
        counts.whole.observe(exchange.whole);
        counts.received.increase(exchange.received);
        counts.sent.increase(exchange.sent);
    }

    /// Counts the bytes of a connection that was passed on as it is. Called at its end, once.
    pub(crate) fn carried(&self, received: u64, sent: u64) {
        let counts = self.counts.mine();
        counts.received.increase(received);
        counts.sent.increase(sent);
    }

    /// Counts `event`.
    pub(crate) fn note(&self, event: Event) {
        self.counts.mine().events[event as usize].add();
    }

    /// Whether anything was ever counted.
    pub(super) fn is_used(&self) -> bool {
        self.counts.all().next().is_some()
    }

    /// What it holds; none if nothing was ever counted.
    pub(super) fn sum(&self) -> Option<Sum> {
        let mut counts = self.counts.all().peekable();
        counts.peek()?;
        let mut sum = Sum::default();
        counts.for_each(|counts| sum.add(counts));
        Some(sum)
    }
}

/// The place of `status` among the classes.
pub(crate) fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).saturating_sub(1)
}

impl Sum {
    fn add(&mut self, counts: &Counts) {
        let add = |sums: &mut [u64], counters: &[Counter]| {
            for (sum, counter) in sums.iter_mut().zip(counters) {
                *sum += counter.value();
            }
        };
        add(&mut self.classes, &counts.classes);
        add(&mut self.events, &counts.events);
        self.first_byte.add(&counts.first_byte);
        self.whole.add(&counts.whole);
        self.received += counts.received.value();
        self.sent += counts.sent.value();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_counted_where_it_belongs() {
        let tally = Tally::new(None, None);
        assert!(tally.sum().is_none());
        let exchange = Exchange {
            status: StatusCode::NOT_FOUND,
            first_byte: Duration::from_millis(1),
            whole: Duration::from_secs(1),
            received: 3,
            sent: 7,
        };
        tally.record(&exchange);
        tally.record(&Exchange { status: StatusCode::OK, ..exchange });
        tally.note(Event::Refused);
        tally.carried(4, 6);
        let sum = tally.sum().unwrap();
        assert_eq!((sum.classes, sum.received, sum.sent), ([0, 1, 0, 1, 0], 10, 20));
        assert_eq!((sum.events, sum.whole.count()), ([0, 0, 0, 0, 1, 0, 0, 0], 2));
    }

    #[test]
    fn events_are_shown_in_the_order_in_which_they_are_counted() {
        assert!(EVENTS.iter().enumerate().all(|(place, event)| *event as usize == place));
    }
}
