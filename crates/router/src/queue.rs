//! Where requests of one app wait while no endpoint takes them: few enough, in order, and called at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::reserve::Reserve;

/// Requests of one app that wait. Lives across tables as long as the app does.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU32,
    news: Notify,
}

/// One request's place in a queue; free again when dropped, as when the client leaves.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Reserve>);

impl Ticket {
    /// A place in the queue of `reserve`, if fewer than `limit` are taken.
    pub(crate) fn take(reserve: &Arc<Reserve>, limit: u32) -> Option<Self> {
        let take = |waiting: u32| (waiting < limit).then_some(waiting + 1);
        reserve.queue.waiting.fetch_update(Relaxed, Relaxed, take).ok()?;
        Some(Self(Arc::clone(reserve)))
    }
}

impl Queue {
    /// Ends when the queue is called after this was first polled or enabled.
    pub(crate) fn called(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// Calls all, in the order in which they began to listen.
    pub(crate) fn call(&self) {
        self.news.notify_waiters();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.queue.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_queue_takes_as_many_as_it_may_and_those_who_leave_make_room() {
        let reserve = Arc::new(Reserve::default());
        let take = || Ticket::take(&reserve, 2);
        let first = take();
        let _second = take().unwrap();
        assert!(first.is_some() && take().is_none());
        drop(first);
        assert!(take().is_some() && Ticket::take(&reserve, 0).is_none());
        assert_eq!(reserve.queue.waiting.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn those_who_came_first_are_called_first() {
        let (reserve, order) = (Arc::new(Reserve::default()), Arc::new(Mutex::new(Vec::new())));
        let mut waiting = Vec::new();
        for number in 0..50 {
            let (reserve, order) = (Arc::clone(&reserve), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                reserve.queue.called().await;
                order.lock().unwrap().push(number);
            }));
            // Its turn to listen before the next.
            tokio::task::yield_now().await;
        }
        reserve.queue.call();
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
    }
}
