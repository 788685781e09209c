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
//! | a connection that is passed on is closed at once without a word | counts as no answer |
//! | several in a row bring no answer | the endpoint is out for a while, unless half of them are |
//!
//! Whoever has a request asks for a [`Course::place`], tries it there and tells what came of it: [`Course::accepted`],
//! [`Course::refused`], [`Course::failed`], [`Course::late`], [`Course::answered`], or of a connection that is passed on [`Course::stayed`] or [`Course::hung_up`]. Nothing here sends or connects.

mod outcome;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use deis_model::routing::{Affinity, Protocol};
use http::{HeaderValue, Method};
use rand::Rng;

use crate::affinity::{Wish, set_cookie};
use crate::balance::{Moment, Tried, is_usable, pick, pick_out};
use crate::clock::{Millis, millis};
use crate::endpoint::{Endpoint, Flight};
use crate::page::Failure;
use crate::service::Service;
use crate::shared::Shared;
use crate::sought::Sought;
use wait::Waits;

pub(crate) use outcome::Setback;

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

/// What came of boarding an endpoint of a service.
pub(crate) enum Boarding {
    /// This place.
    Place(Place),
    /// No endpoint is left to try.
    Nowhere,
    /// The endpoint had just left.
    Left,
}

/// One request's course.
pub(crate) struct Course<'a> {
    shared: &'a Shared,
    sought: Sought<'a>,
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

impl<'a> Course<'a> {
    /// The course of a request for `host`, as the table names it.
    pub(crate) fn new(shared: &'a Shared, host: &'a str, is_idempotent: bool) -> Self {
        Self::to(shared, Sought::Host(host), is_idempotent)
    }

    /// The course of a connection that is passed on as it is. Nothing is sent before an endpoint has accepted it.
    pub(crate) fn passing(shared: &'a Shared, sought: Sought<'a>) -> Self {
        Self::to(shared, sought, false)
    }

    fn to(shared: &'a Shared, sought: Sought<'a>, is_idempotent: bool) -> Self {
        Self {
            shared,
            sought,
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
            let service = self.sought.find(&table).ok_or(Failure::UnknownHost)?;
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
                match &self.sought.find(&table)?.rules.affinity {
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
