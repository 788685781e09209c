//! Idle connections to one endpoint, used again last in, first out.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use crate::clock::Millis;
use crate::link::Link;

/// Idle connections to one endpoint.
pub(crate) struct Pool {
    limit: usize,
    /// None once the endpoint is retired: what comes back then is closed.
    idle: Mutex<Option<Vec<Idle>>>,
}

struct Idle {
    link: Link,
    since: Millis,
    /// When the container said it would close it.
    expires: Millis,
}

impl Pool {
    /// A pool that keeps at most `limit`; the rest is closed.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, idle: Mutex::new(Some(Vec::new())) }
    }

    /// A connection that is alive as far as can be known and has been idle for at most `longest`.
    pub(crate) async fn take(&self, now: Millis, longest: Millis) -> Option<Link> {
        loop {
            let mut link = self.pop(now, longest)?;
            if poll_fn(|context| Poll::Ready(link.is_alive(context))).await {
                return Some(link);
            }
        }
    }

    /// Keeps `link` for the next request.
    pub(crate) fn put(&self, link: Link, now: Millis) {
        let expires = link.keep_alive().map_or(Millis::MAX, |keep_alive| now + keep_alive);
        let refused = match self.lock().as_mut() {
            Some(idle) if idle.len() < self.limit => {
                idle.push(Idle { link, since: now, expires });
                None
            }
            _ => Some(link),
        };
        // Closing is a system call: not under the lock.
        drop(refused);
    }

    /// Closes those that have been idle for longer than `longest` or that the container is about to close.
    pub(crate) fn reap(&self, now: Millis, longest: Millis) {
        let is_stale = |idle: &mut Idle| idle.expires <= now || now.saturating_sub(idle.since) > longest;
        let stale: Vec<Idle> = match self.lock().as_mut() {
            Some(idle) if !idle.is_empty() => idle.extract_if(.., is_stale).collect(),
            _ => return,
        };
        drop(stale);
    }

    /// Closes all, now and from now on.
    pub(crate) fn close(&self) {
        let idle = self.lock().take();
        drop(idle);
    }

    fn pop(&self, now: Millis, longest: Millis) -> Option<Link> {
        let mut idle = self.lock();
        let idle = idle.as_mut()?;
        loop {
            // The last one in is the freshest: if it is too old, so are all.
            if now.saturating_sub(idle.last()?.since) > longest {
                return None;
            }
            let candidate = idle.pop()?;
            if candidate.expires > now {
                return Some(candidate.link);
            }
        }
    }

    /// The content, also after a panic elsewhere: the list is whole between calls.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
