//! The shared connections to one endpoint that one core keeps.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, timeout_at};

use super::{Lane, Trunk};

/// Those of one core.
#[derive(Default)]
pub(super) struct Shelf {
    /// Held while one is opened: requests that come meanwhile shall use it too. Why the last could not be opened, as
    /// the system numbers such errors.
    opening: tokio::sync::Mutex<Option<i32>>,
    /// How many could not be opened.
    failures: AtomicU64,
    open: Mutex<Vec<Arc<Trunk>>>,
}

impl Shelf {
    /// A place over a connection that `open` makes, or that another request made meanwhile. If that failed, this fails
    /// likewise: of all that wait, one tries.
    pub(super) async fn open<T>(
        &self,
        is_closed: &AtomicBool,
        deadline: Instant,
        open: impl FnOnce() -> T,
    ) -> io::Result<Lane>
    where
        T: Future<Output = io::Result<Arc<Trunk>>>,
    {
        let failures = self.failures.load(SeqCst);
        let mut cause = timeout_at(deadline, self.opening.lock()).await?;
        if let Some(lane) = self.lane() {
            return Ok(lane);
        }
        if self.failures.load(SeqCst) != failures {
            let refused = || io::ErrorKind::ConnectionRefused.into();
            return Err(cause.map_or_else(refused, io::Error::from_raw_os_error));
        }
        let opened = timeout_at(deadline, open()).await.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let trunk = opened.inspect_err(|error| {
            *cause = error.raw_os_error();
            self.failures.fetch_add(1, SeqCst);
        })?;
        let lane = Lane(Arc::clone(&trunk));
        if !is_closed.load(SeqCst) {
            self.lock().push(trunk);
        }
        Ok(lane)
    }

    /// A place over the least busy connection that has one.
    pub(super) fn lane(&self) -> Option<Lane> {
        let mut open = self.lock();
        open.retain(|trunk| !trunk.sender.is_closed());
        let has_room = |trunk: &&Arc<Trunk>| trunk.streams.load(Relaxed) < trunk.most.load(Relaxed);
        let trunk = open.iter().filter(has_room).min_by_key(|trunk| trunk.streams.load(Relaxed))?;
        trunk.streams.fetch_add(1, Relaxed);
        Some(Lane(Arc::clone(trunk)))
    }

    /// The content, also after a panic elsewhere: the list is whole between calls.
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Arc<Trunk>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    #[tokio::test]
    async fn of_requests_that_wait_for_a_connection_one_tries_to_open_it() {
        let (shelf, tries) = (Shelf::default(), AtomicUsize::new(0));
        let deadline = Instant::now() + Duration::from_secs(60);
        let is_closed = AtomicBool::new(false);
        let open = || async {
            tries.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            Err(io::Error::from_raw_os_error(111))
        };
        for round in 1..=2 {
            // All begin before the first has failed.
            let opened = join_all((0..20).map(|_| shelf.open(&is_closed, deadline, open))).await;
            assert!(
                opened
                    .iter()
                    .all(|opened| opened.as_ref().is_err_and(|error| error.raw_os_error() == Some(111)))
            );
            assert_eq!(tries.load(SeqCst), round);
        }
    }

    #[tokio::test]
    async fn waiting_for_others_counts_as_waiting() {
        let (shelf, is_closed) = (Shelf::default(), AtomicBool::new(false));
        let _opening = shelf.opening.lock().await;
        let opened = shelf.open(&is_closed, Instant::now(), std::future::pending).await;
        assert!(opened.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
    }
}
