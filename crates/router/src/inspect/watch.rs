//! What is known of a client's connection: who waits for whom, and for how long.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::{Clock, Millis, millis};
use crate::framing::{Fault, Framing};
use crate::shared::Shared;

/// What is known of a client's connection. Only its own task writes; others may read.
pub(crate) struct Watch {
    clock: Clock,
    /// When bytes last moved, either way.
    moved: AtomicU64,
    /// Since when a head is arriving; 0 if none is.
    head_since: AtomicU64,
    fault: OnceLock<(u64, Fault)>,
    bare_from: OnceLock<u64>,
    requests: AtomicU64,
    busy: AtomicUsize,
    /// When the last request ended.
    ended: AtomicU64,
    /// How long nothing may move while requests are under way; 0: as long as between them.
    patience: AtomicU64,
    /// Since when the client has taken nothing of what it is sent; 0 if it takes what there is.
    held_up: AtomicU64,
    is_http_2: AtomicBool,
}

/// How long each thing may take on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Longest {
    /// The head of a request to arrive.
    pub(crate) head: Duration,
    /// Nothing at all to move.
    pub(crate) idle: Duration,
    /// The client to take nothing of what it is sent.
    pub(crate) take: Duration,
}

impl Longest {
    /// As it holds at this moment.
    pub(crate) fn of(shared: &Shared) -> Self {
        let clients = shared.table.load().mesh.clients;
        Self { head: clients.head, idle: clients.idle, take: shared.patience_with_readers() }
    }
}

impl Watch {
    /// Of a connection that has just been accepted.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            moved: AtomicU64::new(clock.now()),
            head_since: AtomicU64::new(0),
            fault: OnceLock::new(),
            bare_from: OnceLock::new(),
            requests: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            ended: AtomicU64::new(clock.now()),
            patience: AtomicU64::new(0),
            held_up: AtomicU64::new(0),
            is_http_2: AtomicBool::new(false),
        }
    }

    /// Counts the next request of the connection; an error if its framing is at fault.
    pub(crate) fn begin(self: &Arc<Self>) -> (Busy, Result<(), Fault>) {
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        if self.busy.fetch_add(1, Relaxed) == 0 {
            self.patience.store(0, Relaxed);
        }
        let judged = match self.fault.get() {
            Some((first, fault)) if *first <= number => Err(*fault),
            _ if self.bare_from.get().is_some_and(|first| *first <= number) => Err(Fault::BareLineFeed),
            _ => Ok(()),
        };
        (Busy(Arc::clone(self)), judged)
    }

    /// Whether it speaks HTTP/2, as far as is known by now.
    pub(crate) fn speaks_http_2(&self) -> bool {
        self.is_http_2.load(Relaxed)
    }

    /// Whether anything takes longer than it may.
    pub(crate) fn is_overdue(&self, longest: Longest) -> bool {
        let Longest { head, idle, take } = longest;
        let now = self.clock.now();
        let lasts = |since: &AtomicU64, longest: Duration| {
            let since = since.load(Relaxed);
            since != 0 && now.saturating_sub(since) > millis(longest)
        };
        lasts(&self.head_since, head)
            || lasts(&self.held_up, take)
            || self.still_for(now) > self.patience(millis(idle))
            || self.is_unused(now, head, idle)
    }

    /// How long nothing may move, which is `idle` between requests.
    fn patience(&self, idle: Millis) -> Millis {
        match (self.busy.load(Relaxed), self.patience.load(Relaxed)) {
            (0, _) | (_, 0) => idle,
            (_, patience) if self.speaks_http_2() => patience.max(idle),
            (_, patience) => patience,
        }
    }

    /// Nothing may move for as long as this while the present request is under way. Over HTTP/2 the one counts that may do so
    /// for longest.
    pub(crate) fn allow(&self, longest: Duration) {
        match self.speaks_http_2() {
            true => _ = self.patience.fetch_max(millis(longest), Relaxed),
            false => self.patience.store(millis(longest), Relaxed),
        }
    }

    /// Over HTTP/2 much may move without any request: whether there has been none for `idle`, or never one for `head`.
    fn is_unused(&self, now: Millis, head: Duration, idle: Duration) -> bool {
        let longest = if self.requests.load(Relaxed) == 0 { head } else { idle };
        let unused = now.saturating_sub(self.ended.load(Relaxed));
        self.speaks_http_2() && self.busy.load(Relaxed) == 0 && unused > millis(longest)
    }

    /// Whether the connection is between requests and has been for `longest`.
    pub(crate) fn is_idle_for(&self, longest: Duration) -> bool {
        self.busy.load(Relaxed) == 0 && self.is_still_for(longest)
    }

    /// Whether nothing has moved for `longest`.
    pub(crate) fn is_still_for(&self, longest: Duration) -> bool {
        self.still_for(self.clock.now()) >= millis(longest)
    }

    fn still_for(&self, now: Millis) -> Millis {
        now.saturating_sub(self.moved.load(Relaxed))
    }

    /// Bytes moved.
    pub(super) fn note_move(&self) {
        self.moved.store(self.clock.now(), Relaxed);
    }

    /// What is written is taken, or waits for the client.
    pub(super) fn note_written(&self, is_taken: bool) {
        if is_taken {
            self.note_move();
            self.held_up.store(0, Relaxed);
        } else if self.held_up.load(Relaxed) == 0 {
            self.held_up.store(self.clock.now().max(1), Relaxed);
        }
    }

    /// It speaks HTTP/2, or not.
    pub(super) fn note_speech(&self, is_http_2: bool) {
        self.is_http_2.store(is_http_2, Relaxed);
    }

    /// Bytes came, which `framing` has read.
    pub(super) fn note(&self, framing: &Framing) {
        let now = self.clock.now();
        self.moved.store(now, Relaxed);
        match (framing.is_in_head(), self.head_since.load(Relaxed)) {
            (true, 0) => self.head_since.store(now, Relaxed),
            (false, since) if since != 0 => self.head_since.store(0, Relaxed),
            _ => {}
        }
        if let Some(fault) = framing.fault() {
            // Only the first counts; a later write would say the same.
            let _ = self.fault.set(fault);
        }
        if let Some(first) = framing.bare_from() {
            let _ = self.bare_from.set(first);
        }
    }
}

/// A request that is being served; ended when dropped.
pub(crate) struct Busy(Arc<Watch>);

impl Clone for Busy {
    fn clone(&self) -> Self {
        self.0.busy.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
        self.0.ended.store(self.0.clock.now(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Longest = Longest { head: Duration::MAX, idle: Duration::ZERO, take: Duration::MAX };

    #[tokio::test]
    async fn a_request_may_have_its_own_time_in_which_nothing_moves() {
        let watch = Arc::new(Watch::new(Clock::start()));
        let (busy, _) = watch.begin();
        while !watch.is_overdue(LONGEST) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watch.allow(Duration::from_secs(3600));
        assert!(!watch.is_overdue(LONGEST));
        drop(busy);
        assert!(watch.is_overdue(LONGEST));
    }
}
