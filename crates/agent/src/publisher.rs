//! The publisher: watches the engine, probes containers with a port and reports to the controller where they are reached.

mod entry;
mod report;
mod roster;

use deis_api::client::InternalClient;
use deis_runtime::{Shutdown, StatusBoard};
use deis_scheduler::Engine;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use crate::observer::{Observer, Seen};
use report::Reporter;
use roster::{Probe, Roster};

/// Probes under way at a time; more containers wait their turn.
const PROBES: usize = 64;

/// What a publisher needs.
#[derive(Clone)]
pub struct Config {
    /// The name under which this host reports.
    pub host: String,
    /// The engine of this host.
    pub engine: Engine,
    /// The controller.
    pub controller: InternalClient,
}

/// Reports the endpoints of one host.
pub struct Publisher {
    roster: Roster,
    reporter: Reporter,
    seen: mpsc::Receiver<Seen>,
    probes: FuturesUnordered<BoxFuture<'static, (Probe, Result<(), String>)>>,
    /// Looks at the engine until the publisher is dropped.
    _observer: AbortOnDropHandle<()>,
}

impl Publisher {
    /// Begins watching the engine, in a tokio runtime; nothing is reported before [`Publisher::run`].
    pub fn open(config: Config, board: StatusBoard) -> Self {
        let (seen, observer) = Observer::start(config.engine, board.clone());
        Self {
            roster: Roster::new(Instant::now()),
            reporter: Reporter::new(config.host, config.controller, board, Instant::now()),
            seen,
            probes: FuturesUnordered::new(),
            _observer: observer,
        }
    }

    /// Reports until `shutdown`. Leaving withdraws nothing: containers outlive their publisher.
    pub async fn run(mut self, shutdown: Shutdown) -> anyhow::Result<()> {
        loop {
            self.start_probes();
            let wake = self.wake();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(seen) = self.seen.recv() => self.note(seen),
                Some((probe, outcome)) = self.probes.next() => self.conclude(&probe, outcome),
                () = self.reporter.sent() => {}
                () = sleep_until(wake) => {}
            }
            self.reporter.send_if_due(&self.roster, Instant::now());
        }
    }

    fn note(&mut self, seen: Seen) {
        let now = Instant::now();
        if self.roster.note(seen.app.as_ref(), seen.containers, now, roster::wall_clock()) {
            self.reporter.changed(now);
        }
    }

    fn conclude(&mut self, probe: &Probe, outcome: Result<(), String>) {
        let now = Instant::now();
        if self.roster.conclude(probe, outcome, now) {
            self.reporter.changed(now);
        }
    }

    fn start_probes(&mut self) {
        let room = PROBES.saturating_sub(self.probes.len());
        for probe in self.roster.due(Instant::now(), room) {
            self.probes.push(Box::pin(async move {
                let outcome = judge(&probe).await;
                (probe, outcome)
            }));
        }
    }

    /// When something falls due by itself.
    fn wake(&self) -> Instant {
        // While all probes are taken, the next one to end is what is waited for.
        let probe = self.roster.next_due().filter(|_| self.probes.len() < PROBES);
        probe.map_or(self.reporter.due(), |probe| probe.min(self.reporter.due()))
    }
}

/// Whether a container serves, or why not.
async fn judge(probe: &Probe) -> Result<(), String> {
    let (path, limit) = (probe.health_check.path.as_deref(), probe.health_check.timeout());
    let outcome = deis_runtime::probe(probe.address, path, limit, "deis-publisher").await;
    outcome.map_err(|error| error.to_string())
}
