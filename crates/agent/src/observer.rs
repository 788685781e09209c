//! What containers the engine has, looked at again whenever something changed.

use std::collections::BTreeSet;
use std::time::Duration;

use deis_model::{AppId, ContainerStatus};
use deis_runtime::StatusBoard;
use deis_scheduler::{Change, Engine};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::backoff::Backoff;

/// At least this long lies between two looks, so that fifty starts are not fifty looks.
const GAP: Duration = Duration::from_millis(20);

/// Everything is looked at this often even if no change was told.
const RESYNC: Duration = Duration::from_secs(60);

/// More apps than this are looked at in one go.
const APPS_AT_ONCE: usize = 8;

/// The containers of one app, or of all.
pub(crate) struct Seen {
    pub(crate) app: Option<AppId>,
    pub(crate) containers: Vec<ContainerStatus>,
}

/// Looks at the engine.
pub(crate) struct Observer {
    engine: Engine,
    board: StatusBoard,
    changes: BoxStream<'static, Change>,
    pending: Pending,
    /// When the next look may be taken.
    earliest: Instant,
    resync: Instant,
    backoff: Backoff,
}

/// What is to be looked at.
#[derive(Debug, PartialEq, Eq)]
enum Pending {
    All,
    Apps(BTreeSet<AppId>),
}

impl Pending {
    fn add(&mut self, change: Change) {
        match (&mut *self, change) {
            (Self::Apps(apps), Change::App(app)) => {
                apps.insert(app);
                if apps.len() > APPS_AT_ONCE {
                    *self = Self::All;
                }
            }
            (_, Change::All) => *self = Self::All,
            (Self::All, Change::App(_)) => {}
        }
    }

    /// Which app to look at next; `Some(None)` is all of them.
    fn first(&self) -> Option<Option<AppId>> {
        match self {
            Self::All => Some(None),
            Self::Apps(apps) => apps.first().cloned().map(Some),
        }
    }

    fn done(&mut self, app: Option<&AppId>) {
        match (&mut *self, app) {
            (Self::Apps(apps), Some(app)) => {
                apps.remove(app);
            }
            _ => *self = Self::Apps(BTreeSet::new()),
        }
    }
}

impl Observer {
    /// Watches from now on, until the handle is dropped. The first look is at everything.
    pub(crate) fn start(engine: Engine, board: StatusBoard) -> (mpsc::Receiver<Seen>, AbortOnDropHandle<()>) {
        let (sender, receiver) = mpsc::channel(1);
        let observer = Self::new(engine, board);
        (receiver, AbortOnDropHandle::new(tokio::spawn(observer.run(sender))))
    }

    fn new(engine: Engine, board: StatusBoard) -> Self {
        // Watched before the first look, or what changes in between would be missed.
        let changes = engine.scheduler.watch();
        let now = Instant::now();
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        Self { engine, board, changes, pending: Pending::All, earliest: now, resync: now + RESYNC, backoff }
    }

    async fn run(mut self, seen: mpsc::Sender<Seen>) {
        while seen.send(self.next().await).await.is_ok() {}
    }

    /// Waits for a change and looks.
    async fn next(&mut self) -> Seen {
        loop {
            match self.pending.first() {
                None => self.await_change().await,
                Some(app) => {
                    self.await_turn().await;
                    if let Some(seen) = self.look(app).await {
                        return seen;
                    }
                }
            }
        }
    }

    async fn await_change(&mut self) {
        tokio::select! {
            Some(change) = self.changes.next() => self.pending.add(change),
            () = sleep_until(self.resync) => self.pending = Pending::All,
        }
    }

    async fn await_turn(&mut self) {
        while Instant::now() < self.earliest {
            tokio::select! {
                Some(change) = self.changes.next() => self.pending.add(change),
                () = sleep_until(self.earliest) => {}
            }
        }
    }

    /// A change that comes while this looks stays queued, and makes it look again.
    async fn look(&mut self, app: Option<AppId>) -> Option<Seen> {
        match self.engine.scheduler.observe(app.as_ref()).await {
            Ok(containers) => {
                self.looked(app.as_ref());
                Some(Seen { app, containers })
            }
            Err(error) => {
                warn!(%error, "failed to observe the container engine");
                self.board.trouble("engine", &error, "start the container engine");
                self.earliest = Instant::now() + self.backoff.wait();
                None
            }
        }
    }

    fn looked(&mut self, app: Option<&AppId>) {
        let now = Instant::now();
        self.board.well("engine");
        self.backoff.reset();
        self.pending.done(app);
        self.earliest = now + GAP;
        if app.is_none() {
            self.resync = now + RESYNC;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str) -> AppId {
        AppId::parse(name).expect("valid")
    }

    #[test]
    fn changes_of_many_apps_become_one_look_at_all() {
        let mut pending = Pending::Apps(BTreeSet::new());
        assert_eq!(pending.first(), None);
        pending.add(Change::App(app("blog")));
        assert_eq!(pending.first(), Some(Some(app("blog"))));
        for number in 0..APPS_AT_ONCE {
            pending.add(Change::App(app(&format!("app{number}"))));
        }
        assert_eq!(pending.first(), Some(None));
        pending.done(None);
        assert_eq!(pending.first(), None);
    }
}
