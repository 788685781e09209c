//! Logspout: reads what containers print and ships it to the logger, each line once and in order.
//!
//! The engine's own files are the spool. What the logger has acknowledged is remembered per container, on disk at most a
//! second later and when leaving: after a crash in that second its lines are shipped again. While the logger is away
//! reading simply stops; what the engine turns over meanwhile (20 MB per container) is lost.

mod follower;
mod joiner;
mod position;
mod record;
mod shipper;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use deis_api::client::InternalClient;
use deis_model::{AppId, ContainerStatus};
use deis_runtime::{Shutdown, StatusBoard};
use deis_scheduler::Engine;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::observer::{Observer, Seen};
use follower::{Ended, Follower, Line};
use position::{Position, Positions};
use shipper::Shipper;

/// Lines read but not yet part of a batch; of the longest, 15 MB. At the limit, reading stops.
const QUEUE: usize = 256;

/// What logspout needs.
#[derive(Clone)]
pub struct Config {
    /// The engine of this host.
    pub engine: Engine,
    /// The logger.
    pub logger: InternalClient,
    /// The directory that keeps positions.
    pub spool: PathBuf,
}

/// Why logspout cannot start.
#[derive(Debug, thiserror::Error)]
#[error("failed to read positions from {}: {source}; correct its permissions or remove it to ship all output again", path.display())]
pub struct LogspoutError {
    path: PathBuf,
    source: std::io::Error,
}

/// Ships the output of one host's containers.
pub struct Logspout {
    engine: Engine,
    positions: Positions,
    lines: mpsc::Sender<Line>,
    shipper: Shipper,
    seen: mpsc::Receiver<Seen>,
    /// Looks at the engine until logspout is dropped.
    _observer: AbortOnDropHandle<()>,
}

impl Logspout {
    /// Reads the positions and begins watching the engine, in a tokio runtime.
    pub fn open(config: Config, board: StatusBoard) -> Result<Self, LogspoutError> {
        let path = config.spool.join("positions.json");
        let failed = |source| LogspoutError { path: path.clone(), source };
        let positions = Positions::open(Path::new(&path)).map_err(failed)?;
        let (lines, queue) = mpsc::channel(QUEUE);
        let shipper = Shipper::new(config.logger, queue, positions.clone(), board.clone());
        let (seen, observer) = Observer::start(config.engine.clone(), board);
        Ok(Self { engine: config.engine, positions, lines, shipper, seen, _observer: observer })
    }

    /// Ships until `shutdown`, then what was read by then, and keeps the positions.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { engine, positions, lines, shipper, mut seen, _observer } = self;
        let shipping = tokio::spawn(shipper.run(shutdown.clone()));
        let mut followed = Followed::new(engine, positions, lines);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(seen) = seen.recv() => followed.note(seen),
                Some(Ok(ended)) = followed.tasks.join_next() => followed.ended(ended),
            }
        }
        // Without followers the queue ends, and with it the shipper.
        drop(followed);
        shipping.await?;
        Ok(())
    }
}

/// The containers whose output is or was read.
struct Followed {
    engine: Engine,
    positions: Positions,
    lines: mpsc::Sender<Line>,
    tasks: JoinSet<Ended>,
    containers: HashMap<String, Reading>,
}

/// How far the reading of a container is.
struct Reading {
    container: ContainerStatus,
    /// Whether a follower is at work.
    active: bool,
    /// Which start of it was read to the end.
    finished: Option<i64>,
    /// Where reading ended; the logger may not have acknowledged all of it yet.
    position: Option<Position>,
}

impl Followed {
    fn new(engine: Engine, positions: Positions, lines: mpsc::Sender<Line>) -> Self {
        Self { engine, positions, lines, tasks: JoinSet::new(), containers: HashMap::new() }
    }

    fn note(&mut self, seen: Seen) {
        self.forget_absent(seen.app.as_ref(), &seen.containers);
        let ids: Vec<_> = seen.containers.iter().map(|container| container.id.clone()).collect();
        for container in seen.containers {
            let reading = self.containers.entry(container.id.clone());
            let reading = reading.or_insert_with(|| Reading::new(container.clone()));
            reading.container = container;
        }
        ids.iter().for_each(|id| self.follow_if_wanted(id));
        if seen.app.is_none() {
            self.positions.retain(|id| self.containers.contains_key(id));
        }
    }

    /// Containers that are gone are forgotten once they are read to the end.
    fn forget_absent(&mut self, app: Option<&AppId>, seen: &[ContainerStatus]) {
        self.containers.retain(|id, reading| {
            let concerned = app.is_none_or(|app| reading.container.name.workload.app == *app);
            reading.active || !concerned || seen.iter().any(|container| container.id == *id)
        });
    }

    fn ended(&mut self, ended: Ended) {
        if let Some(reading) = self.containers.get_mut(&ended.id) {
            reading.active = false;
            reading.finished = Some(ended.started_at);
            reading.position = Some(ended.position);
            self.follow_if_wanted(&ended.id);
        }
    }

    fn follow_if_wanted(&mut self, id: &str) {
        let Some(reading) = self.containers.get_mut(id).filter(|reading| reading.is_wanted()) else { return };
        reading.active = true;
        let position = reading.position.unwrap_or_else(|| self.positions.of(id));
        let follower =
            Follower::new(self.engine.clone(), reading.container.clone(), self.lines.clone(), position);
        self.tasks.spawn(follower.run());
    }
}

impl Reading {
    fn new(container: ContainerStatus) -> Self {
        Self { container, active: false, finished: None, position: None }
    }

    /// The engine ends a container's output with each of its ends; a later start is read anew.
    fn is_wanted(&self) -> bool {
        let started = self.container.started_at;
        !self.active && started > 0 && self.finished != Some(started)
    }
}
