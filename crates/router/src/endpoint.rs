//! An endpoint as the router sees it: an address, who is behind it, what is under way to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use rustls::ClientConfig;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use deis_model::{ContainerName, HealthCheck};

use crate::clock::Millis;
use crate::ejection::Ejection;
use crate::h1::Wire;
use crate::link::Link;
use crate::metrics::Tally;
use crate::pool::Pool;
use crate::reserve::Reserve;
use crate::room::Room;
use crate::standing::{Failures, Ramp};
use crate::trunk::Trunks;

/// One address that serves an app or the API. Lives across tables as long as each names it.
pub(crate) struct Endpoint {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What connections to it are secured by: none to apps.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// Whether it is taken out.
    pub(crate) ejection: Ejection,
    /// Idle connections to it.
    pub(crate) pool: Pool<Link>,
    /// Connections to it that requests share, if it speaks HTTP/2.
    pub(crate) trunks: Trunks,
    /// The same of those that common requests use.
    pub(crate) wires: Pool<Wire>,
    /// What requests to it are counted in: that of its release.
    pub(crate) tally: Arc<Tally>,
    /// How it has answered of late.
    pub(crate) failures: Failures,
    /// Since when it takes requests.
    pub(crate) ramp: Ramp,
    /// What it is called in cookies, and hashed by: the same in every router.
    pub(crate) mark: u64,
    /// What it shares with the others of its service.
    pub(crate) reserve: Arc<Reserve>,
    /// How it is asked whether it is well; none: whether it accepts connections says that. Changed in place, as
    /// connections and counts stay what they are.
    check: ArcSwapOption<HealthCheck>,
    /// Cancelled when it is retired.
    leaving: CancellationToken,
    container: Option<ContainerName>,
    in_flight: AtomicUsize,
    retired: AtomicBool,
    drained: Arc<Notify>,
}

impl Endpoint {
    /// An endpoint with nothing under way; `drained` is told when it is retired and its last request ended.
    pub(crate) fn new(
        address: SocketAddr,
        container: Option<ContainerName>,
        idle_links: usize,
        drained: Arc<Notify>,
    ) -> Self {
        Self {
            address,
            tls: None,
            ejection: Ejection::default(),
            pool: Pool::new(idle_links),
            trunks: Trunks::default(),
            wires: Pool::new(idle_links),
            tally: Arc::new(Tally::new(None, None)),
            failures: Failures::default(),
            ramp: Ramp::default(),
            mark: 0,
            reserve: Arc::default(),
            check: ArcSwapOption::empty(),
            leaving: CancellationToken::new(),
            container,
            in_flight: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            drained,
        }
    }

    /// The same, reached over TLS if `tls` says how.
    pub(crate) fn secured(self, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { tls, ..self }
    }

    /// The same, which keeps idle connections as far as `room` has any.
    pub(crate) fn within(self, room: &Arc<Room>) -> Self {
        Self { pool: self.pool.within(room), wires: self.wires.within(room), ..self }
    }

    /// The same, whose requests are counted in `tally`.
    pub(crate) fn counted(self, tally: &Arc<Tally>) -> Self {
        Self { tally: Arc::clone(tally), ..self }
    }

    /// The same, called `mark`, which requests in the queue of `reserve` wait for.
    pub(crate) fn awaited(self, mark: u64, reserve: &Arc<Reserve>) -> Self {
        Self { mark, reserve: Arc::clone(reserve), ..self }
    }

    /// From now on `check` is how it is asked whether it is well.
    pub(crate) fn check_by(&self, check: Option<&Arc<HealthCheck>>) {
        if self.check.load().as_deref() != check.map(Arc::as_ref) {
            self.check.store(check.cloned());
        }
    }

    /// How it is asked whether it is well; none: whether it accepts connections says that.
    pub(crate) fn check(&self) -> Option<Arc<HealthCheck>> {
        self.check.load_full()
    }

    /// It accepted a connection. That lets it in, unless it is asked for more.
    pub(crate) fn accepted(&self, now: Millis) {
        if self.ejection.until() == 0 {
            return;
        }
        if self.check.load().is_none() { self.readmit(now) } else { self.ejection.hasten(now) }
    }

    /// Lets it in if it was out: it was reached. Requests that wait for it are called.
    pub(crate) fn readmit(&self, now: Millis) {
        if self.ejection.readmit() {
            self.ramp.begin(now);
            self.reserve.queue.call();
        }
    }

    /// Whether it is this address of this container: the same address of another one is another endpoint.
    pub(crate) fn is(&self, address: SocketAddr, container: Option<&ContainerName>) -> bool {
        self.address == address && self.container.as_ref() == container
    }

    /// Who is behind it; none of the platform's own.
    pub(crate) fn container(&self) -> Option<&ContainerName> {
        self.container.as_ref()
    }

    /// Counts a request in; none if the endpoint has left the table, and the caller must look there again.
    ///
    /// Counting first and asking second, with `retire` and `in_flight` the other way round and all in one order,
    /// makes sure that either the request sees the retirement or the drain sees the request.
    pub(crate) fn board(self: &Arc<Self>) -> Option<Flight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let flight = Flight(Arc::clone(self));
        (!self.retired.load(Ordering::SeqCst)).then_some(flight)
    }

    /// Ends it: no request boards any more, idle connections are closed, the last to leave tells the drain.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.pool.close();
        self.trunks.close();
        self.wires.close();
        self.leaving.cancel();
        self.drained.notify_one();
    }

    /// Whether it has left the table.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Cancelled when it leaves the table.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Closes idle connections to it that have been so for longer than `longest`.
    pub(crate) fn reap(&self, now: Millis, longest: Millis) {
        self.pool.reap(now, longest);
        self.trunks.reap(now, longest);
        self.wires.reap(now, longest);
    }

    /// How many requests are under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }
}

/// A request under way to an endpoint; counted out when dropped.
pub(crate) struct Flight(Arc<Endpoint>);

impl Flight {
    /// Where to.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.0.retired.load(Ordering::SeqCst) {
            self.0.drained.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Arc<Endpoint> {
        Arc::new(Endpoint::new(([127, 0, 0, 1], 1).into(), None, 1, Arc::default()))
    }

    #[test]
    fn requests_are_counted_in_and_out() {
        let endpoint = endpoint();
        let first = endpoint.board();
        let second = endpoint.board();
        assert!(first.is_some() && second.is_some());
        assert_eq!(endpoint.in_flight(), 2);
        drop(first);
        assert_eq!(endpoint.in_flight(), 1);
    }

    #[test]
    fn nothing_boards_a_retired_endpoint() {
        let endpoint = endpoint();
        endpoint.retire();
        assert!(endpoint.board().is_none());
        assert_eq!(endpoint.in_flight(), 0);
    }
}
