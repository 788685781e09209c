//! Until when a connection may do what it does, looked after without a timer for each.
//!
//! The connection notes a time whenever it begins something; one task looks through all of them now and then and wakes
//! those that are overdue. So a time limit may be kept a little late, but never early.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::clock::{Millis, millis};
use crate::cores::Seat;
use crate::shared::Shared;

/// How often connections are looked through: a fraction of the shortest limit, within bounds.
const FRACTION: u32 = 4;
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(500);

/// All connections of a router that note their times.
pub(crate) struct Pulses {
    /// By core, so that new connections do not wait for each other.
    cores: Box<[Mutex<Vec<Arc<Beat>>>]>,
}

/// What one connection has noted. Ends its entry when dropped.
pub(crate) struct Pulse(Arc<Beat>);

#[derive(Default)]
struct Beat {
    /// When the present doing is overdue.
    deadline: AtomicU64,
    /// Since when it waits for a request; 0 if it does not.
    idle_since: AtomicU64,
    /// Whether it has been found overdue; the connection judges again.
    is_due: AtomicBool,
    is_over: AtomicBool,
    waker: OnceLock<Waker>,
}

impl Pulses {
    /// Of a router with so many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self { cores: (0..cores.max(1)).map(|_| Mutex::default()).collect() }
    }

    /// One more, of the task that `context` wakes.
    pub(crate) fn begin(&self, context: &Context<'_>) -> Pulse {
        let beat = Arc::new(Beat::default());
        beat.deadline.store(Millis::MAX, Relaxed);
        let _ = beat.waker.set(context.waker().clone());
        lock(&self.cores[Seat::current().index % self.cores.len()]).push(Arc::clone(&beat));
        Pulse(beat)
    }

    /// Wakes those that are overdue now and then, for ever.
    pub(crate) async fn look_after(shared: &Shared) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause(shared)) => {}
                () = shared.ending.cancelled(), if !shared.ending.is_cancelled() => {}
            }
            shared.pulses.look_through(shared);
        }
    }

    fn look_through(&self, shared: &Shared) {
        let now = shared.clock.now();
        for core in &self.cores {
            lock(core).retain(|beat| {
                if beat.is_overdue(shared, now) {
                    beat.is_due.store(true, Relaxed);
                    beat.waker.get().inspect(|waker| waker.wake_by_ref());
                }
                !beat.is_over.load(Relaxed)
            });
        }
    }
}

impl Pulse {
    /// It waits for a request, since `now`.
    pub(crate) fn rest(&self, now: Millis, longest: Duration) {
        self.0.idle_since.store(now, Relaxed);
        self.until(now, longest);
    }

    /// It does something else from now on.
    pub(crate) fn work(&self) {
        self.0.idle_since.store(0, Relaxed);
    }

    /// What it does now may take until `longest` after `now`.
    pub(crate) fn until(&self, now: Millis, longest: Duration) {
        self.0.deadline.store(now.saturating_add(millis(longest)), Relaxed);
    }

    /// Whether it must give up what it does.
    pub(crate) fn is_overdue(&self, shared: &Shared) -> bool {
        self.0.is_due.load(Relaxed) && self.judge(shared)
    }

    /// It may have been found overdue just when it began something else.
    fn judge(&self, shared: &Shared) -> bool {
        let is_overdue = self.0.is_overdue(shared, shared.clock.now());
        self.0.is_due.store(is_overdue, Relaxed);
        is_overdue
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.0.deadline.store(Millis::MAX, Relaxed);
        self.0.is_over.store(true, Relaxed);
    }
}

impl Beat {
    fn is_overdue(&self, shared: &Shared, now: Millis) -> bool {
        now > self.deadline.load(Relaxed) || shared.ending.is_cancelled() || self.is_to_leave(shared, now)
    }

    /// Whether it waits for a request and its place is wanted.
    fn is_to_leave(&self, shared: &Shared, now: Millis) -> bool {
        let idle_since = self.idle_since.load(Relaxed);
        if idle_since == 0 || !shared.wants_connections_closed() {
            return false;
        }
        let (closing, timeouts) = (shared.closing.is_cancelled(), &shared.config.timeouts);
        let longest = if closing { timeouts.shutdown_idle } else { timeouts.crowded_idle };
        now.saturating_sub(idle_since) >= millis(longest)
    }
}

fn pause(shared: &Shared) -> Duration {
    let table = shared.table.load();
    let clients = table.mesh.clients.head.min(table.mesh.clients.idle);
    let shortest = clients.min(table.mesh.apps.timeouts.answer).min(shared.config.timeouts.shutdown_idle);
    (shortest / FRACTION).clamp(SHORTEST, LONGEST)
}

/// The content, also after a panic elsewhere: the list is whole between calls.
fn lock(core: &Mutex<Vec<Arc<Beat>>>) -> MutexGuard<'_, Vec<Arc<Beat>>> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}
