//! Waiting for an endpoint: for one at all while an app starts, or for one that accepts connections.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::course::Course;
use crate::endpoint::Endpoint;
use crate::metrics::Event;
use crate::page::Failure;
use crate::queue::Ticket;
use crate::reserve::Reserve;
use crate::service::Service;

/// How many requests of an app may wait for its endpoints to accept connections, at least.
const WAITING: u32 = 1_000;

/// How often those who wait for that look by themselves, if nobody calls them.
const LOOK: Duration = Duration::from_millis(250);

/// Where a request waits.
struct Stop {
    reserve: Arc<Reserve>,
    /// For how long at most.
    left: Duration,
    /// After how long it looks by itself.
    look: Duration,
}

/// Since when a request waits, and for what.
#[derive(Default)]
pub(super) struct Waits {
    for_endpoint: Option<Millis>,
    for_connection: Option<Millis>,
    /// What lets it wait.
    pub(super) ticket: Option<Ticket>,
}

impl Course<'_> {
    /// Waits until an endpoint is there, or accepts connections; then all may be tried again.
    pub(crate) async fn wait(&mut self) -> Result<(), Failure> {
        let stop = self.stop()?;
        let mut called = pin!(stop.reserve.queue.called());
        called.as_mut().enable();
        // What changed before this listened, nobody tells it.
        let is_called = self.has_news() || {
            let pause = stop.left.min(stop.look);
            tokio::time::timeout(pause, called).await.is_ok()
        };
        self.may_try = is_called || stop.reserve.budget.spend(self.shared.clock.now());
        self.tried.clear();
        Ok(())
    }

    /// Where to wait, and for how long at most; or that it is over.
    fn stop(&mut self) -> Result<Stop, Failure> {
        let table = self.shared.table.load();
        let service = self.sought.find(&table).ok_or(Failure::UnknownHost)?;
        let is_first = self.waits.for_endpoint.is_none() && self.waits.for_connection.is_none();
        let has_endpoint = service.all_endpoints().next().is_some();
        let queue = &service.rules.queue;
        if !has_endpoint && (!service.is_wanted() || queue.limit == 0) {
            return Err(self.told_apart(Failure::NoEndpoints));
        }
        let (since, patience, limit, look, failure) = match has_endpoint {
            false => {
                (&mut self.waits.for_endpoint, queue.wait, queue.limit, Duration::MAX, Failure::Starting)
            }
            true => {
                let failure = if self.resends > 0 { Failure::NoAnswer } else { Failure::Unreachable };
                let patience = self.shared.config.timeouts.reach;
                (&mut self.waits.for_connection, patience, queue.limit.max(WAITING), LOOK, failure)
            }
        };
        let now = self.shared.clock.now();
        let waited = now.saturating_sub(*since.get_or_insert(now));
        let left = patience.saturating_sub(Duration::from_millis(waited));
        if left.is_zero() {
            return Err(self.told_apart(failure));
        }
        if self.waits.ticket.is_none() {
            let ticket = Ticket::take(&service.reserve, limit).ok_or(Failure::Crowded)?;
            self.waits.ticket = Some(ticket);
        }
        if is_first {
            service.tallies.newest().note(Event::Queued);
        }
        Ok(Stop { reserve: Arc::clone(&service.reserve), left, look })
    }

    /// Whether there is an endpoint by now that takes requests and that this one may try.
    fn has_news(&self) -> bool {
        let (table, now) = (self.shared.table.load(), self.shared.clock.now());
        let takes = |endpoint: &Arc<Endpoint>| !endpoint.ejection.is_out(now) && !endpoint.is_retired();
        let has_one = |service: &Service| service.all_endpoints().any(takes);
        self.may_try && self.sought.find(&table).is_none_or(has_one)
    }

    fn is_platform(&self) -> bool {
        self.sought.find(&self.shared.table.load()).is_some_and(|service| service.route.is_none())
    }

    /// `failure`, or that it is the platform's own API which cannot be reached.
    fn told_apart(&self, failure: Failure) -> Failure {
        match failure {
            Failure::NoEndpoints | Failure::Unreachable if self.is_platform() => Failure::NoController,
            failure => failure,
        }
    }
}
