//! What comes of a try, and what follows from it for the request and for its endpoint.

use std::io;
use std::sync::Arc;

use http::StatusCode;

use crate::course::Course;
use crate::endpoint::Endpoint;
use crate::metrics::Event;
use crate::page::Failure;
use crate::room::is_full;

/// How often a request that was sent over a new connection is sent again: once, so that one which kills the process
/// that serves it does not kill all of them.
const RESENDS: u32 = 1;

/// How often kept connections may turn out dead before the request gives up: far more than happens by chance.
const DEAD_LINKS: u32 = 8;

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

impl Course<'_> {
    /// `endpoint` accepted a connection.
    pub(crate) fn accepted(&self, endpoint: &Endpoint) {
        endpoint.accepted(self.shared.clock.now());
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

    /// `endpoint` has something to say on a connection that is passed on, or stays: that is all there is to see of a
    /// container that does not speak HTTP.
    pub(crate) fn stayed(&self, endpoint: &Endpoint) {
        endpoint.failures.note(false, self.shared.clock.now());
        endpoint.ejection.forgive();
    }

    /// `endpoint` accepted such a connection and closed it without a word.
    pub(crate) fn hung_up(&self, endpoint: &Arc<Endpoint>) {
        self.shared.counters.endpoint_failures.add();
        self.strike(endpoint);
    }

    fn ejects_errors(&self) -> bool {
        self.sought.find(&self.shared.table.load()).is_some_and(|service| service.rules.ejects_errors)
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
        if self.sought.find(&table).is_some_and(|service| service.can_spare(endpoint, now)) {
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
}
