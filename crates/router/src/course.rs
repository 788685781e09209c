//! One request's course over endpoints: which is tried, what may be tried again, when it is over.
//!
//! | what happens | then |
//! |---|---|
//! | connection refused or timed out | that endpoint is out until a probe reaches it; another is tried, each once |
//! | the router's system has no room for one more connection | 503 at once: no endpoint is to blame |
//! | an endpoint's host is lost before it answers | the same, if the request can be repeated; else 502 |
//! | all tried, or too much was tried again of late | a wait for one that accepts, up to `timeouts.reach`; then 502 |
//! | no endpoint, though the app is to have one | a wait for one, up to the app's `queue/wait`; then 503 |
//! | no endpoint, as the app is to have none | 503 at once |
//! | a kept connection turns out closed before the request was sent | another connection |
//! | the connection ends without an answer | again, if the request can be repeated: see [`may_repeat`] |
//! | no answer in time, or not HTTP | 504, 502 |
//! | several in a row bring no answer | the endpoint is out for a while, unless half of them are |
//!
//! Whoever has a request asks for a [`Course::place`], tries it there and tells what came of it: [`Course::accepted`],
//! [`Course::refused`], [`Course::failed`], [`Course::late`] or [`Course::answered`]. Nothing here sends or connects.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deis_model::routing::{Affinity, Protocol};
use http::{HeaderValue, Method, StatusCode};
use rand::Rng;

use crate::affinity::{Wish, set_cookie};
use crate::balance::{Moment, Tried, is_usable, pick, pick_out};
use crate::clock::{Millis, millis};
use crate::ejection::has_others;
use crate::endpoint::{Endpoint, Flight};
use crate::metrics::Event;
use crate::page::Failure;
use crate::queue::Ticket;
use crate::reserve::Reserve;
use crate::room::is_full;
use crate::service::Service;
use crate::shared::Shared;

/// How often a request that was sent over a new connection is sent again: once, so that one which kills the process
/// that serves it does not kill all of them.
const RESENDS: u32 = 1;

/// How often kept connections may turn out dead before the request gives up: far more than happens by chance.
const DEAD_LINKS: u32 = 8;

/// How many requests of an app may wait for its endpoints to accept connections, at least.
const WAITING: u32 = 1_000;

/// How often those who wait for that look by themselves, if nobody calls them.
const LOOK: Duration = Duration::from_millis(250);

/// Where one try goes.
pub(crate) struct Place {
    /// Counts the request there until dropped.
    pub(crate) flight: Flight,
    /// How long it may take to accept a connection.
    pub(crate) connect: Duration,
    /// How long it may take to answer.
    pub(crate) answer: Duration,
    /// What it speaks.
    pub(crate) protocol: Protocol,
}

/// Where a request waits.
struct Stop {
    reserve: Arc<Reserve>,
    /// For how long at most.
    left: Duration,
    /// After how long it looks by itself.
    look: Duration,
}

/// What came of boarding an endpoint of a service.
pub(crate) enum Boarding {
    /// This place.
    Place(Place),
    /// No endpoint is left to try.
    Nowhere,
    /// The endpoint had just left.
    Left,
}

/// Why a connection that was there brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// It was closed before anything was sent.
    Unsent,
    /// It ended after the request was, or may have been, sent. `is_new`: the connection had carried no request before.
    Unanswered {
        /// Whether it was this request for which the connection was made.
        is_new: bool,
    },
    /// The endpoint's host is gone, as far as can be known.
    Lost,
    /// The answer is not HTTP.
    Garbled,
}

/// One request's course.
pub(crate) struct Course<'a> {
    shared: &'a Shared,
    host: &'a str,
    is_idempotent: bool,
    wish: Wish,
    /// Below the canary's percentage: to the canary. Drawn when there is one.
    lot: Option<u8>,
    tried: Tried,
    /// Whether another try is within the budget.
    may_try: bool,
    is_counted: bool,
    resends: u32,
    dead_links: u32,
    waits: Waits,
}

/// Since when a request waits, and for what.
#[derive(Default)]
struct Waits {
    for_endpoint: Option<Millis>,
    for_connection: Option<Millis>,
    ticket: Option<Ticket>,
}

impl<'a> Course<'a> {
    /// The course of a request for `host`, as the table names it.
    pub(crate) fn new(shared: &'a Shared, host: &'a str, is_idempotent: bool) -> Self {
        Self {
            shared,
            host,
            is_idempotent,
            wish: Wish::Any,
            lot: None,
            tried: Tried::default(),
            may_try: true,
            is_counted: false,
            resends: 0,
            dead_links: 0,
            waits: Waits::default(),
        }
    }

    /// The same for a request that belongs to others.
    pub(crate) fn wishing(self, wish: Wish) -> Self {
        Self { wish, ..self }
    }

    /// A place at an endpoint; none if all were tried, and then it is time to [`Course::wait`].
    pub(crate) fn place(&mut self) -> Result<Option<Place>, Failure> {
        loop {
            let table = self.shared.table.load();
            let service = table.find(self.host).ok_or(Failure::UnknownHost)?;
            match self.place_at(service) {
                Boarding::Place(place) => return Ok(Some(place)),
                Boarding::Nowhere => return Ok(None),
                // It has left the table after this one was loaded: the next differs.
                Boarding::Left => {}
            }
        }
    }

    /// The same at `service`, which was looked up just now. When that brings no place, [`Course::place`] tells why.
    pub(crate) fn place_at(&mut self, service: &Service) -> Boarding {
        let Some(endpoint) = self.choose(service).filter(|_| self.may_try) else { return Boarding::Nowhere };
        let Some(flight) = endpoint.board() else { return Boarding::Left };
        if !self.is_counted {
            self.is_counted = true;
            service.reserve.budget.earn();
        }
        self.waits.ticket = None;
        Boarding::Place(self.at(service, flight))
    }

    /// The endpoint to try next: the one that the request belongs to, one that takes requests, or at last one that is out.
    fn choose<'s>(&mut self, service: &'s Service) -> Option<&'s Arc<Endpoint>> {
        let (first, second) = self.groups(service);
        let now = self.shared.clock.now();
        let moment = Moment { now, slow_start: millis(service.rules.slow_start) };
        let tried = &self.tried;
        self.wished(first, second, now)
            .or_else(|| pick(first, tried, moment))
            .or_else(|| pick(second, tried, moment))
            .or_else(|| pick_out(first, tried, now))
            .or_else(|| pick_out(second, tried, now))
    }

    /// The endpoints of the release whose turn it is, and those of the other.
    fn groups<'s>(&mut self, service: &'s Service) -> (&'s [Arc<Endpoint>], &'s [Arc<Endpoint>]) {
        let percent = service.rules.canary_percent;
        if service.canary.is_empty() || percent == 0 {
            return (&service.endpoints, &[]);
        }
        let wish = self.wish;
        let lot =
            *self.lot.get_or_insert_with(|| wish.lot().unwrap_or_else(|| rand::rng().random_range(0..100)));
        match lot < percent {
            true => (&service.canary, &service.endpoints),
            false => (&service.endpoints, &service.canary),
        }
    }

    fn wished<'s>(
        &self,
        first: &'s [Arc<Endpoint>],
        second: &'s [Arc<Endpoint>],
        now: Millis,
    ) -> Option<&'s Arc<Endpoint>> {
        let is_usable = |endpoint: &&Arc<Endpoint>| is_usable(endpoint, &self.tried, now);
        match self.wish {
            Wish::Any | Wish::Mark(None) => None,
            // A client stays with the release that it met first.
            Wish::Mark(_) => self.wish.choose(first.iter().chain(second).filter(is_usable)),
            Wish::Hash(_) => self.wish.choose(first.iter().filter(is_usable)),
        }
    }

    /// The cookie that a client is to be given with the answer of `endpoint`, if it has not the right one.
    pub(crate) fn cookie(&self, endpoint: &Endpoint, is_secure: bool) -> Option<HeaderValue> {
        match self.wish {
            Wish::Mark(mark) if mark != Some(endpoint.mark) => {
                let table = self.shared.table.load();
                match &table.find(self.host)?.rules.affinity {
                    Some(Affinity::Cookie(name)) => set_cookie(name, endpoint, is_secure),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn at(&self, service: &Service, flight: Flight) -> Place {
        let timeouts = &self.shared.config.timeouts;
        let has_others = self.tried.leave_several(&service.endpoints);
        let rules = &service.rules.timeouts;
        let connect = if has_others { timeouts.connect_if_others.min(rules.connect) } else { rules.connect };
        Place { flight, connect, answer: rules.answer, protocol: service.rules.protocol }
    }

    /// How long a kept connection may have been idle to be used for this request; none if it needs a new one.
    ///
    /// A request that already met a dead connection gets a new one: the others are likely dead too.
    pub(crate) fn longest_idle(&self) -> Option<Millis> {
        let timeouts = &self.shared.config.timeouts;
        let longest = if self.is_idempotent { timeouts.link_idle } else { timeouts.link_idle_unrepeatable };
        (self.dead_links == 0 && self.resends == 0).then(|| millis(longest))
    }

    /// `endpoint` accepted a connection.
    pub(crate) fn accepted(&self, endpoint: &Endpoint) {
        endpoint.readmit(self.shared.clock.now());
    }

    /// No connection to `endpoint` came about, by `error`: it is out, and not tried again soon, unless the router has no
    /// room for one more.
    pub(crate) fn refused(&mut self, endpoint: &Arc<Endpoint>, error: &io::Error) -> Result<(), Failure> {
        if is_full(error) {
            return Err(Failure::NoRoom);
        }
        self.lose(endpoint);
        Ok(())
    }

    /// `endpoint` is not there: it is out, and not tried again soon.
    fn lose(&mut self, endpoint: &Arc<Endpoint>) {
        let now = self.shared.clock.now();
        self.note_ejection(endpoint, endpoint.ejection.eject(now));
        self.tried.add(endpoint.address);
        self.may_try = endpoint.reserve.budget.spend(now);
    }

    /// `endpoint` answered with `status`.
    pub(crate) fn answered(&self, endpoint: &Arc<Endpoint>, status: StatusCode) {
        let now = self.shared.clock.now();
        endpoint.failures.note(status.is_server_error(), now);
        if !status.is_server_error() || !self.ejects_errors() {
            endpoint.ejection.forgive();
        } else if endpoint.ejection.strike() {
            self.eject(endpoint);
        }
    }

    fn ejects_errors(&self) -> bool {
        self.shared.table.load().find(self.host).is_some_and(|service| service.rules.ejects_errors)
    }

    /// `endpoint` did not answer in time: that is the end.
    pub(crate) fn late(&self, endpoint: &Arc<Endpoint>) -> Failure {
        self.strike(endpoint);
        Failure::TimedOut
    }

    /// A request brought no answer from `endpoint`, which is out when that happens too often in a row.
    fn strike(&self, endpoint: &Arc<Endpoint>) {
        endpoint.failures.note(true, self.shared.clock.now());
        if endpoint.ejection.strike() {
            self.eject(endpoint);
        }
    }

    /// Takes `endpoint` out, which accepts connections, if there are enough others.
    fn eject(&self, endpoint: &Arc<Endpoint>) {
        let (table, now) = (self.shared.table.load(), self.shared.clock.now());
        if table.find(self.host).is_some_and(|service| has_others(&service.endpoints, now)) {
            self.note_ejection(endpoint, endpoint.ejection.eject_for_long(now));
        }
    }

    fn note_ejection(&self, endpoint: &Arc<Endpoint>, was_in: bool) {
        if was_in {
            self.shared.counters.ejections.add();
            endpoint.tally.note(Event::Ejection);
        }
        self.shared.prober.watch(endpoint);
    }

    /// The exchange with `endpoint` failed; `may_repeat`: see there. Whether to go on.
    pub(crate) fn failed(
        &mut self,
        endpoint: &Arc<Endpoint>,
        setback: Setback,
        may_repeat: bool,
    ) -> Result<(), Failure> {
        self.shared.counters.endpoint_failures.add();
        match setback {
            Setback::Lost => {
                self.lose(endpoint);
                endpoint.reap(self.shared.clock.now(), 0);
                if may_repeat { Ok(()) } else { Err(Failure::NoAnswer) }
            }
            Setback::Garbled => {
                self.strike(endpoint);
                Err(Failure::Garbled)
            }
            Setback::Unsent => self.count_dead_link(endpoint),
            Setback::Unanswered { is_new } => {
                if is_new {
                    self.strike(endpoint);
                }
                // Nothing was refused, so that nobody would call it: without a budget that is the end.
                if !may_repeat || !endpoint.reserve.budget.spend(self.shared.clock.now()) {
                    return Err(Failure::NoAnswer);
                }
                if is_new { self.count_resend(endpoint) } else { self.count_dead_link(endpoint) }
            }
        }
    }

    fn count_dead_link(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.dead_links += 1;
        self.note_retry(endpoint);
        if self.dead_links > DEAD_LINKS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    fn count_resend(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.resends += 1;
        self.note_retry(endpoint);
        self.tried.add(endpoint.address);
        if self.resends > RESENDS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    fn note_retry(&self, endpoint: &Endpoint) {
        self.shared.counters.retries.add();
        endpoint.tally.note(Event::Retry);
    }

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
        let service = table.find(self.host).ok_or(Failure::UnknownHost)?;
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
        self.may_try && table.find(self.host).is_none_or(has_one)
    }

    /// `failure`, or that it is the platform's own API which cannot be reached.
    fn told_apart(&self, failure: Failure) -> Failure {
        match failure {
            Failure::NoEndpoints | Failure::Unreachable
                if self.shared.table.load().is_platform(self.host) =>
            {
                Failure::NoController
            }
            failure => failure,
        }
    }
}

/// Whether a request that was, or may have been, sent can be sent again without harm: its method is idempotent, and no
/// part of its body is gone. Source: RFC 9110 section 9.2.2.
pub(crate) fn may_repeat(is_idempotent: bool, is_body_touched: bool) -> bool {
    is_idempotent && !is_body_touched
}

/// Source: RFC 9110 section 9.2.2.
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}

#[cfg(test)]
mod tests;
