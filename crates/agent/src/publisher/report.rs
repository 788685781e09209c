//! Telling the controller: at once when something changed, and before the lease ends when nothing did.

use std::time::Duration;

use deis_api::client::{CallError, InternalClient};
use deis_api::internal::{EndpointReport, ReportedEndpoint};
use deis_runtime::StatusBoard;
use deis_runtime::secrets::random_hex;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tracing::{info, warn};

use super::roster::Roster;
use crate::backoff::Backoff;

/// How long a report counts: so long visitors may be sent to a host that is lost.
const LEASE_SECONDS: u32 = 6;

/// A report is renewed this often.
const RENEWAL: Duration = Duration::from_secs(2);

/// Pauses while no controller takes reports. Short, since another one may lead at any moment.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Changes that come within this time go out together.
const COALESCE: Duration = Duration::from_millis(5);

/// How soon to look again whether the first report can be made.
const NOT_YET: Duration = Duration::from_millis(100);

/// Sends reports, one at a time.
pub(super) struct Reporter {
    host: String,
    controller: InternalClient,
    board: StatusBoard,
    due: Instant,
    /// Whether the report changed since the one that is being sent.
    stale: bool,
    /// What was sent last, and what it is called.
    endpoints: Vec<ReportedEndpoint>,
    revision: String,
    /// Whether a controller has it: then its name is enough.
    is_held: bool,
    sending: Option<BoxFuture<'static, Result<bool, CallError>>>,
    backoff: Backoff,
    /// Whether the last report arrived; told once per change.
    arrived: bool,
}

impl Reporter {
    /// One that reports as `host`.
    pub(super) fn new(host: String, controller: InternalClient, board: StatusBoard, now: Instant) -> Self {
        Self {
            host,
            controller,
            board,
            due: now,
            stale: false,
            endpoints: Vec::new(),
            revision: random_hex(),
            is_held: false,
            sending: None,
            backoff: Backoff::new(PAUSES.0, PAUSES.1),
            arrived: true,
        }
    }

    /// Notes that there is news.
    pub(super) fn changed(&mut self, now: Instant) {
        self.stale = true;
        // While the controller does not answer, news waits like the rest.
        if self.arrived {
            self.due = self.due.min(now + COALESCE);
        }
    }

    /// When to call [`Reporter::send_if_due`] next.
    pub(super) fn due(&self) -> Instant {
        match self.sending {
            Some(_) => Instant::now() + RENEWAL,
            None => self.due,
        }
    }

    /// Begins to send what `roster` says if it is time.
    pub(super) fn send_if_due(&mut self, roster: &Roster, now: Instant) {
        if self.sending.is_some() || now < self.due {
            return;
        }
        match roster.report(now) {
            Some(endpoints) => self.send(endpoints),
            None => self.due = now + NOT_YET,
        }
    }

    fn send(&mut self, endpoints: Vec<ReportedEndpoint>) {
        if endpoints != self.endpoints {
            (self.endpoints, self.revision, self.is_held) = (endpoints, random_hex(), false);
        }
        let report = EndpointReport {
            lease_seconds: LEASE_SECONDS,
            revision: self.revision.clone(),
            endpoints: (!self.is_held).then(|| self.endpoints.clone()),
        };
        let (controller, host) = (self.controller.clone(), self.host.clone());
        self.stale = false;
        self.sending = Some(Box::pin(async move { controller.report_endpoints(&host, &report).await }));
    }

    /// Returns when a report that is being sent has arrived or failed; never if there is none. May be cancelled.
    pub(super) async fn sent(&mut self) {
        let Some(sending) = &mut self.sending else { return std::future::pending().await };
        let outcome = sending.await;
        self.sending = None;
        match outcome {
            Ok(true) => self.well(),
            Ok(false) => self.unknown(),
            Err(error) => self.failed(&error),
        }
    }

    fn well(&mut self) {
        if !std::mem::replace(&mut self.arrived, true) {
            info!("the controller takes reports again");
        }
        self.board.well("controller");
        self.is_held = true;
        self.backoff.reset();
        self.due = Instant::now() + if self.stale { COALESCE } else { RENEWAL };
    }

    /// The controller does not have what it was to go on with, as after it took over: it gets everything at once.
    fn unknown(&mut self) {
        let pause = if std::mem::take(&mut self.is_held) { Duration::ZERO } else { self.backoff.wait() };
        self.due = Instant::now() + pause;
    }

    fn failed(&mut self, error: &CallError) {
        if std::mem::replace(&mut self.arrived, false) {
            warn!(%error, "failed to report endpoints");
        }
        self.board.trouble("controller", error, "start the controller; visitors are served meanwhile");
        self.due = Instant::now() + self.backoff.wait();
    }
}
