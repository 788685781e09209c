//! One request's course over endpoints: which is tried, what may be tried again, when it is over.
//!
//! | what happens | then |
//! |---|---|
//! | connection refused or timed out | that endpoint is out for a while; another is tried, each once |
//! | an endpoint's host is lost before it answers | the same, if the request can be repeated; else 502 |
//! | all tried | a short wait, in which the table may change, then all again, up to `timeouts.reach`; then 502 |
//! | a kept connection turns out closed before the request was sent | another connection |
//! | the connection ends without an answer | again, if the request can be repeated: see [`may_repeat`] |
//! | no answer in time, or not HTTP | 504, 502 |
//!
//! Whoever has a request asks for a [`Course::place`], tries it there and tells what came of it: [`Course::accepted`],
//! [`Course::refused`], [`Course::failed`], [`Course::late`] or [`Course::answered`]. Nothing here sends or connects.

use std::time::Duration;

use deis_model::routing::Protocol;
use http::{Method, StatusCode};

use crate::balance::{Tried, pick};
use crate::clock::{Millis, millis};
use crate::endpoint::{Endpoint, Flight};
use crate::metrics::Event;
use crate::page::Failure;
use crate::service::Service;
use crate::shared::Shared;

/// How often a request that was sent over a new connection is sent again: once, so that one which kills the process
/// that serves it does not kill all of them.
const RESENDS: u32 = 1;

/// How often kept connections may turn out dead before the request gives up: far more than happens by chance.
const DEAD_LINKS: u32 = 8;

/// The first wait when no endpoint accepts; each further one is longer by as much.
const WAIT: Duration = Duration::from_millis(25);

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
    started: Millis,
    tried: Tried,
    waits: u32,
    resends: u32,
    dead_links: u32,
}

impl<'a> Course<'a> {
    /// The course of a request for `host`, as the table names it.
    pub(crate) fn new(shared: &'a Shared, host: &'a str, is_idempotent: bool) -> Self {
        let started = shared.clock.now();
        let tried = Tried::default();
        Self { shared, host, is_idempotent, started, tried, waits: 0, resends: 0, dead_links: 0 }
    }

    /// A place at an endpoint; none if all were tried, and then it is time to [`Course::wait`].
    pub(crate) fn place(&mut self) -> Result<Option<Place>, Failure> {
        loop {
            let table = self.shared.table.load();
            let service = table.find(self.host).ok_or(Failure::UnknownHost)?;
            if service.endpoints.is_empty() {
                return Err(self.told_apart(Failure::NoEndpoints));
            }
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
        match pick(&service.endpoints, &self.tried, self.shared.clock.now()) {
            Some(endpoint) => match endpoint.board() {
                Some(flight) => Boarding::Place(self.at(service, flight)),
                None => Boarding::Left,
            },
            None => Boarding::Nowhere,
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
        endpoint.ejection.readmit();
    }

    /// `endpoint` accepted no connection: it is out, and not tried again soon.
    pub(crate) fn refused(&mut self, endpoint: &Endpoint) {
        endpoint.ejection.eject(self.shared.clock.now());
        self.shared.counters.ejections.add();
        endpoint.tally.note(Event::Ejection);
        self.tried.add(endpoint.address);
    }

    /// `endpoint` answered with `status`.
    pub(crate) fn answered(&self, _endpoint: &Endpoint, _status: StatusCode) {}

    /// `endpoint` did not answer in time: that is the end.
    pub(crate) fn late(&self, _endpoint: &Endpoint) -> Failure {
        Failure::TimedOut
    }

    /// The exchange with `endpoint` failed; `may_repeat`: see there. Whether to go on.
    pub(crate) fn failed(
        &mut self,
        endpoint: &Endpoint,
        setback: Setback,
        may_repeat: bool,
    ) -> Result<(), Failure> {
        self.shared.counters.endpoint_failures.add();
        match setback {
            Setback::Lost => {
                self.refused(endpoint);
                endpoint.pool.reap(self.shared.clock.now(), 0);
                if may_repeat { Ok(()) } else { Err(Failure::NoAnswer) }
            }
            Setback::Garbled => Err(Failure::Garbled),
            Setback::Unsent => self.count_dead_link(endpoint),
            Setback::Unanswered { .. } if !may_repeat => Err(Failure::NoAnswer),
            Setback::Unanswered { is_new: false } => self.count_dead_link(endpoint),
            Setback::Unanswered { is_new: true } => self.count_resend(endpoint),
        }
    }

    fn count_dead_link(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.dead_links += 1;
        self.shared.counters.retries.add();
        endpoint.tally.note(Event::Retry);
        if self.dead_links > DEAD_LINKS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    fn count_resend(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        self.resends += 1;
        self.shared.counters.retries.add();
        endpoint.tally.note(Event::Retry);
        self.tried.add(endpoint.address);
        if self.resends > RESENDS { Err(Failure::NoAnswer) } else { Ok(()) }
    }

    /// Waits for the table or an endpoint to change, then all may be tried again.
    pub(crate) async fn wait(&mut self) -> Result<(), Failure> {
        let waited = self.shared.clock.now().saturating_sub(self.started);
        if waited >= millis(self.shared.config.timeouts.reach) {
            let failure = if self.resends > 0 { Failure::NoAnswer } else { Failure::Unreachable };
            return Err(self.told_apart(failure));
        }
        self.waits += 1;
        let mut changed = self.shared.changed.subscribe();
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(WAIT * self.waits) => {}
        }
        self.tried.clear();
        Ok(())
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
mod tests {
    use super::*;

    #[test]
    fn only_idempotent_requests_that_are_whole_are_repeated() {
        for (method, expected) in
            [("GET", true), ("DELETE", true), ("POST", false), ("PATCH", false), ("LOCK", false)]
        {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(may_repeat(is_idempotent(&method), false), expected, "{method}");
            assert!(!may_repeat(is_idempotent(&method), true), "{method} with half of its body gone");
        }
    }
}
