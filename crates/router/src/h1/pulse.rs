//! Until when a connection may do what it does, looked after without a timer for each.
//!
//! The connection notes a time whenever it begins something; one task looks through all of them now and then and wakes
//! those that are overdue. So a time limit may be kept a little late, but never early.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
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
    cores: Box<[Arc<Ward>]>,
}

/// Those of one core, in no order.
type Ward = Mutex<Vec<Arc<Beat>>>;

/// What one connection has noted. Ends its entry when dropped.
pub(crate) struct Pulse {
    beat: Arc<Beat>,
    ward: Arc<Ward>,
}

#[derive(Default)]
struct Beat {
    /// When the present doing is overdue.
    deadline: AtomicU64,
    /// Since when it waits for a request; 0 if it does not.
    idle_since: AtomicU64,
    /// Since when its client has taken nothing of what it is sent; 0 if it takes what there is.
    held_up_since: AtomicU64,
    /// Whether it has been found overdue; the connection judges again.
    is_due: AtomicBool,
    /// Whether it waits for something that mostly takes no time: see [`Pulse::has_lasted`].
    lasting: AtomicU8,
    waker: OnceLock<Waker>,
    /// Where in its ward it is; changes only while that is locked.
    place: AtomicUsize,
}

/// Nobody asks how long it lasts; somebody does; a while has gone by since.
const UNASKED: u8 = 0;
const ASKED: u8 = 1;
const LASTED: u8 = 2;

/// What holds for all connections at one moment.
struct Moment {
    now: Millis,
    is_ending: bool,
    /// How long one may wait for a request, if its place is wanted.
    longest_idle: Option<Millis>,
    /// How long a client may take nothing of what it is sent, if its place is wanted.
    longest_in_the_way: Option<Millis>,
}

impl Pulses {
    /// Of a router with so many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self { cores: (0..cores.max(1)).map(|_| Arc::default()).collect() }
    }

    /// One more, of the task that `context` wakes.
    pub(crate) fn begin(&self, context: &Context<'_>) -> Pulse {
        let beat = Arc::new(Beat::default());
        beat.deadline.store(Millis::MAX, Relaxed);
        let _ = beat.waker.set(context.waker().clone());
        let ward = &self.cores[Seat::current().index % self.cores.len()];
        let mut beats = lock(ward);
        beat.place.store(beats.len(), Relaxed);
        beats.push(Arc::clone(&beat));
        drop(beats);
        Pulse { beat, ward: Arc::clone(ward) }
    }

    /// Wakes those that are overdue now and then, for ever.
    pub(crate) async fn look_after(shared: &Shared) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause(shared)) => {}
                () = shared.ending.cancelled(), if !shared.ending.is_cancelled() => {}
            }
            shared.pulses.look_through(&Moment::of(shared));
        }
    }

    fn look_through(&self, moment: &Moment) {
        for ward in &self.cores {
            for beat in lock(ward).iter() {
                beat.look(moment);
            }
        }
    }
}

impl Pulse {
    /// It waits for a request, since `now`.
    pub(crate) fn rest(&self, now: Millis, longest: Duration) {
        self.beat.idle_since.store(now, Relaxed);
        self.until(now, longest);
    }

    /// It does something else from now on.
    pub(crate) fn work(&self) {
        self.beat.idle_since.store(0, Relaxed);
    }

    /// What it does now may take until `longest` after `now`.
    pub(crate) fn until(&self, now: Millis, longest: Duration) {
        self.beat.deadline.store(now.saturating_add(millis(longest)), Relaxed);
    }

    /// It waits for its client, which takes nothing at `now` and may do so for `longest`, if nobody is in need of its place.
    pub(crate) fn hold_up(&self, now: Millis, longest: Duration) {
        self.beat.held_up_since.store(now.max(1), Relaxed);
        self.until(now, longest);
    }

    /// The client has taken all; what comes next may take until `longest` after `now`.
    pub(crate) fn go_on(&self, now: Millis, longest: Duration) {
        self.beat.held_up_since.store(0, Relaxed);
        self.until(now, longest);
    }

    /// Whether a while has gone by since this was first asked. Whoever is told no is woken when it has.
    pub(crate) fn has_lasted(&self) -> bool {
        let before = self.beat.lasting.compare_exchange(UNASKED, ASKED, Relaxed, Relaxed);
        before == Err(LASTED)
    }

    /// Whether it must give up what it does.
    pub(crate) fn is_overdue(&self, shared: &Shared) -> bool {
        self.beat.is_due.load(Relaxed) && self.judge(shared)
    }

    /// It may have been found overdue just when it began something else.
    fn judge(&self, shared: &Shared) -> bool {
        let is_overdue = self.beat.is_overdue(&Moment::of(shared));
        self.beat.is_due.store(is_overdue, Relaxed);
        is_overdue
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let mut beats = lock(&self.ward);
        let place = self.beat.place.load(Relaxed);
        let own = (place < beats.len()).then(|| beats.swap_remove(place));
        if let Some(moved) = beats.get(place) {
            moved.place.store(place, Relaxed);
        }
        drop(beats);
        drop(own);
    }
}

impl Beat {
    /// Wakes its connection if that has something to judge.
    fn look(&self, moment: &Moment) {
        let has_lasted = self.lasting.compare_exchange(ASKED, LASTED, Relaxed, Relaxed).is_ok();
        let is_overdue = self.is_overdue(moment);
        if is_overdue {
            self.is_due.store(true, Relaxed);
        }
        if is_overdue || has_lasted {
            self.waker.get().inspect(|waker| waker.wake_by_ref());
        }
    }

    fn is_overdue(&self, moment: &Moment) -> bool {
        moment.now > self.deadline.load(Relaxed)
            || moment.is_ending
            || self.is_to_leave(moment)
            || self.is_in_the_way(moment)
    }

    /// Whether it waits for a client that takes nothing while its place is wanted.
    fn is_in_the_way(&self, moment: &Moment) -> bool {
        let since = self.held_up_since.load(Relaxed);
        since != 0
            && moment.longest_in_the_way.is_some_and(|longest| moment.now.saturating_sub(since) >= longest)
    }

    /// Whether it waits for a request and its place is wanted.
    fn is_to_leave(&self, moment: &Moment) -> bool {
        let idle_since = self.idle_since.load(Relaxed);
        let is_over = |longest| moment.now.saturating_sub(idle_since) >= longest;
        idle_since != 0 && moment.longest_idle.is_some_and(is_over)
    }
}

impl Moment {
    fn of(shared: &Shared) -> Self {
        let timeouts = &shared.config.timeouts;
        let longest = match shared.is_closing() {
            true => Some(timeouts.shutdown_idle),
            false => shared.places.are_taken().then_some(timeouts.crowded_idle),
        };
        Self {
            now: shared.clock.now(),
            is_ending: shared.ending.is_cancelled(),
            longest_idle: longest.map(millis),
            longest_in_the_way: shared.places.are_taken().then(|| millis(shared.patience_with_readers())),
        }
    }
}

fn pause(shared: &Shared) -> Duration {
    let table = shared.table.load();
    let clients = table.mesh.clients.head.min(table.mesh.clients.idle);
    let shortest = clients.min(table.mesh.apps.timeouts.answer).min(shared.config.timeouts.shutdown_idle);
    (shortest / FRACTION).clamp(SHORTEST, LONGEST)
}

/// The content, also after a panic elsewhere: the list is whole between calls.
fn lock(ward: &Ward) -> MutexGuard<'_, Vec<Arc<Beat>>> {
    ward.lock().unwrap_or_else(PoisonError::into_inner)
}
