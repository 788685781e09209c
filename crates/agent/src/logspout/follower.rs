//! Reading the output of one container.

use std::time::Duration;

use deis_api::internal::LogRecord;
use deis_model::ContainerStatus;
use deis_scheduler::{Engine, OutputStream, SchedulerError};
use futures::StreamExt;
use tokio::sync::mpsc;
use tracing::debug;

use super::joiner::{Joiner, WholeLine};
use super::position::Position;
use super::record::record;
use crate::backoff::Backoff;

/// A line and where in the container's output it ends.
pub(super) struct Line {
    pub(super) record: LogRecord,
    pub(super) container: String,
    pub(super) position: Position,
}

/// The output of a container was read to its end.
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) started_at: i64,
    pub(super) position: Position,
}

/// Why reading ended before the output did.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Engine(#[from] SchedulerError),
    /// Nobody takes lines any more.
    #[error("logspout is leaving")]
    Leaving,
}

/// Reads one container.
pub(super) struct Follower {
    engine: Engine,
    container: ContainerStatus,
    lines: mpsc::Sender<Line>,
    position: Position,
    backoff: Backoff,
}

impl Follower {
    /// One that hands what comes after `position` to `lines`.
    pub(super) fn new(
        engine: Engine,
        container: ContainerStatus,
        lines: mpsc::Sender<Line>,
        position: Position,
    ) -> Self {
        let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        Self { engine, container, lines, position, backoff }
    }

    /// Reads to the end: until the container stops or is removed. An engine that goes away is waited for.
    pub(super) async fn run(mut self) -> Ended {
        while let Err(Interrupted::Engine(error)) = self.read().await {
            debug!(container = %self.container.name, %error, "failed to read output; trying again");
            tokio::time::sleep(self.backoff.wait()).await;
        }
        Ended { id: self.container.id, started_at: self.container.started_at, position: self.position }
    }

    async fn read(&mut self) -> Result<(), Interrupted> {
        // Asked for from just before the position, and what is known of that moment left out.
        let begun = self.position;
        let mut frames = self.engine.output.follow(&self.container.id, begun.timestamp - 1).await?;
        let (mut known, mut joiner) = (begun.lines, Joiner::default());
        let mut reached = begun;
        while let Some(frame) = frames.next().await {
            let frame = frame?;
            self.backoff.reset();
            if let Some(line) = joiner.break_off(frame.stream, Some(frame.timestamp)) {
                self.position = joiner.held_at().unwrap_or(reached);
                self.hand_on(line).await?;
            }
            let is_known = known > 0 && frame.timestamp == begun.timestamp;
            let ended = joiner.join(&frame, reached, is_known);
            match is_known {
                true => known -= 1,
                false => reached = reached.after(frame.timestamp),
            }
            self.position = joiner.held_at().unwrap_or(reached);
            if let Some(line) = ended {
                self.hand_on(line).await?;
            }
        }
        for stream in [OutputStream::Stdout, OutputStream::Stderr] {
            let broken_off = joiner.break_off(stream, None);
            self.position = joiner.held_at().unwrap_or(reached);
            if let Some(line) = broken_off {
                self.hand_on(line).await?;
            }
        }
        Ok(())
    }

    async fn hand_on(&self, line: WholeLine) -> Result<(), Interrupted> {
        let record = record(&self.container.name, line);
        let container = self.container.id.clone();
        let sent = self.lines.send(Line { record, container, position: self.position }).await;
        sent.map_err(|_| Interrupted::Leaving)
    }
}
