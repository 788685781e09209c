//! What the reconciler remembers of one app between passes. Losing it costs time, never correctness.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use deis_database::Mark;
use deis_model::{ContainerName, ContainerStatus, Desired, ReleaseContent, ReleaseVersion};
use tokio::sync::{Notify, watch};

use super::calm::Calm;
use super::image::Image;
use super::moving::Moving;
use super::restart::Restart;
use super::standing::Standing;

/// The state of one app's reconciliation.
pub(super) struct AppState {
    progress: Mutex<Progress>,
    woken: Notify,
    /// Held during a pass.
    pub(super) memory: tokio::sync::Mutex<Memory>,
    /// Names being stopped and removed in the background.
    pub(super) removing: Mutex<BTreeSet<ContainerName>>,
    /// Where the app stands.
    pub(super) standing: watch::Sender<Standing>,
}

struct Progress {
    phase: Phase,
    /// When something was last heard of the app, or a pass over it ended.
    touched: Option<Instant>,
    /// The app's containers as they were after that, for the next pass.
    seen: Option<Vec<ContainerStatus>>,
    /// What the app was like when the newest pass left nothing to do.
    calm: Option<Calm>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Working,
    WorkingDirty,
}

/// What passes hand to each other.
#[derive(Default)]
pub(super) struct Memory {
    /// The UUID of the app that this is of.
    app: String,
    /// Since when releases that could start, or would but for what may pass, have not been ready: those that are under
    /// way or tried out.
    pub(super) unready_since: BTreeMap<ReleaseVersion, Instant>,
    /// Unwanted containers and how long they may finish requests.
    pub(super) draining: BTreeMap<ContainerName, Draining>,
    /// Images of the releases that serve and are to serve.
    pub(super) images: HashMap<ReleaseVersion, Image>,
    /// The restart under way.
    pub(super) restart: Restart,
    /// Whether a container is to be moved.
    pub(super) moving: Moving,
}

impl Memory {
    /// Forgets what was learned of an earlier app of the same name, and what concerns a release that serves no more.
    pub(super) fn follow(&mut self, desired: &Desired) {
        if self.app.is_empty() {
            // A restart may have been asked for before the first pass.
            self.app.clone_from(&desired.uuid);
        } else if self.app != desired.uuid {
            *self = Self { app: desired.uuid.clone(), ..Self::default() };
        }
        let versions = |releases: [Option<&ReleaseContent>; 2]| {
            releases.into_iter().flatten().map(|release| release.version).collect::<Vec<_>>()
        };
        self.restart.follow(&versions([desired.deployed.as_ref(), desired.canary.as_ref()]));
        let judged = versions([desired.under_way(), desired.tried_out()]);
        self.unready_since.retain(|version, _| judged.contains(version));
    }
}

/// An unwanted container that may still have requests under way.
#[derive(Clone, Copy)]
pub(super) struct Draining {
    /// The route table's generation without it.
    pub(super) generation: u64,
    /// It is stopped at this time whatever is under way.
    pub(super) deadline: Instant,
}

impl Default for AppState {
    fn default() -> Self {
        Self {
            progress: Mutex::new(Progress { phase: Phase::Idle, touched: None, seen: None, calm: None }),
            woken: Notify::new(),
            memory: tokio::sync::Mutex::default(),
            removing: Mutex::default(),
            standing: watch::channel(Standing::default()).0,
        }
    }
}

impl AppState {
    /// Notes that something changed. Whether the caller must start a task, because none works on the app.
    pub(super) fn note_dirty(&self) -> bool {
        let mut progress = lock(&self.progress);
        let was_idle = progress.phase == Phase::Idle;
        progress.phase = if was_idle { Phase::Working } else { Phase::WorkingDirty };
        progress.touched = Some(Instant::now());
        (progress.seen, progress.calm) = (None, None);
        drop(progress);
        self.woken.notify_one();
        was_idle
    }

    /// Like [`AppState::note_dirty`]; the next pass need not ask the engine if nothing was heard of the app or done
    /// about it since `begun`, when the engine began to say what containers it has. No pass is needed of an app at rest
    /// of which these and the `mark` are as they were.
    pub(super) fn note_seen(
        &self,
        begun: Instant,
        mark: Option<&Mark>,
        containers: Vec<ContainerStatus>,
    ) -> bool {
        let mut progress = lock(&self.progress);
        if progress.touched.is_some_and(|touched| touched >= begun) {
            drop(progress);
            return self.note_dirty();
        }
        let calm = progress.calm.as_ref().zip(mark).filter(|_| progress.phase == Phase::Idle);
        if calm.is_some_and(|(calm, mark)| calm.holds(mark, &containers)) {
            return false;
        }
        let was_idle = progress.phase == Phase::Idle;
        progress.phase = match progress.phase {
            Phase::Idle => Phase::Working,
            // The pass that was to look at what was seen before looks at this.
            phase if progress.seen.is_some() => phase,
            _ => Phase::WorkingDirty,
        };
        progress.seen = Some(containers);
        drop(progress);
        self.woken.notify_one();
        was_idle
    }

    /// What [`AppState::note_seen`] left, if it still holds.
    pub(super) fn take_seen(&self) -> Option<Vec<ContainerStatus>> {
        lock(&self.progress).seen.take()
    }

    /// Notes what the app was like when a pass left nothing to do.
    pub(super) fn note_calm(&self, calm: Option<Calm>) {
        lock(&self.progress).calm = calm;
    }

    /// Notes that a pass is over: what was seen while it went on may be older than what it did.
    fn note_passed(&self) {
        let mut progress = lock(&self.progress);
        progress.touched = Some(Instant::now());
        progress.seen = None;
    }

    /// Ends the task's work, unless something changed meanwhile. Whether it ended.
    pub(super) fn rest(&self) -> bool {
        let mut progress = lock(&self.progress);
        let rests = progress.phase == Phase::Working;
        progress.phase = if rests { Phase::Idle } else { Phase::Working };
        rests
    }

    /// Waits for [`AppState::note_dirty`].
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Numbers the pass that begins.
    pub(super) fn begin_pass(&self) -> u64 {
        let mut number = 0;
        self.standing.send_if_modified(|standing| {
            standing.begun += 1;
            number = standing.begun;
            false
        });
        number
    }

    /// Notes that this pass wrote the app's route, or withdrew it as the app `is_gone`.
    pub(super) fn note_routed(&self, pass: u64, is_gone: bool) {
        self.standing.send_modify(|standing| {
            standing.routed = pass;
            standing.is_gone = is_gone;
        });
    }

    /// Whether no task works on the app.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.progress).phase == Phase::Idle
    }

    /// Notes that a pass is over: finished, or what it failed at.
    pub(super) fn note_outcome(&self, trouble: Option<String>) {
        self.note_passed();
        self.standing.send_modify(|standing| {
            let since = standing.trouble.as_ref().map_or_else(Instant::now, |(since, _)| *since);
            standing.trouble = trouble.map(|reason| (since, reason));
        });
    }

    /// Names being removed now.
    pub(super) fn removing_now(&self) -> BTreeSet<ContainerName> {
        lock(&self.removing).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
