//! One thread with an event loop of its own per core, for visitors' connections.
//!
//! A connection stays on the core that serves it, and so do the connections to endpoints that it uses: no core waits
//! for another. What is seldom (following the controller, git, health checks) stays on the caller's runtime.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

thread_local! {
    static SEAT: Cell<Seat> = const { Cell::new(Seat { index: 0, count: 1 }) };
}

/// Which of a router's cores a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Counted from 0.
    pub(crate) index: usize,
    /// How many there are.
    pub(crate) count: usize,
}

impl Seat {
    /// The calling thread's; threads that are no core's count as the only one.
    pub(crate) fn current() -> Self {
        SEAT.get()
    }

    /// Makes the calling thread this one.
    pub(crate) fn take(self) {
        SEAT.set(self);
    }
}

/// The threads of one router. Dropping them gives up all that they serve.
pub(crate) struct Cores {
    stop: DropGuard,
    /// Closed once no core does its own work any more.
    working: mpsc::Receiver<Infallible>,
    /// Closed once no thread runs any more.
    running: mpsc::Receiver<Infallible>,
}

impl Cores {
    /// Starts a thread for each of `inputs`, in which `work` runs; what it spawned goes on after it until
    /// [`Cores::stop`].
    pub(crate) fn start<I, W>(
        inputs: Vec<I>,
        work: impl Fn(I) -> W + Send + Sync + 'static,
    ) -> io::Result<Self>
    where
        I: Send + 'static,
        W: Future<Output = ()>,
    {
        let (token, count, work) = (CancellationToken::new(), inputs.len(), Arc::new(work));
        let ((at_work, working), (alive, running)) = (mpsc::channel(1), mpsc::channel(1));
        let cores = Self { stop: token.clone().drop_guard(), working, running };
        for (index, input) in inputs.into_iter().enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (work, token, at_work, alive) =
                (Arc::clone(&work), token.clone(), at_work.clone(), alive.clone());
            std::thread::Builder::new().name(format!("router-{index}")).spawn(move || {
                Seat { index, count }.take();
                run(runtime, async { work(input).await }, at_work, &token);
                drop(alive);
            })?;
        }
        Ok(cores)
    }

    /// Waits until the work itself has ended on all cores.
    pub(crate) async fn worked(&mut self) {
        // Nothing is ever sent: this is the end of the last sender.
        let _ = self.working.recv().await;
    }

    /// Ends the threads and whatever still runs on them.
    pub(crate) async fn stop(mut self) {
        drop(self.stop);
        let _ = self.running.recv().await;
    }
}

fn run(
    runtime: Runtime,
    work: impl Future<Output = ()>,
    at_work: mpsc::Sender<Infallible>,
    stop: &CancellationToken,
) {
    runtime.block_on(stop.run_until_cancelled(async {
        work.await;
        drop(at_work);
        std::future::pending::<()>().await;
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_core_knows_its_seat_and_goes_on_until_stopped() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let work = move |input: &'static str| {
            let sender = sender.clone();
            async move {
                tokio::spawn(async move {
                    let _ = sender.send((Seat::current(), input));
                    std::future::pending::<()>().await;
                });
            }
        };
        let mut cores = Cores::start(vec!["a", "b"], work).unwrap();
        cores.worked().await;
        let mut seen = [receiver.recv().await.unwrap(), receiver.recv().await.unwrap()];
        seen.sort_by_key(|(seat, _)| seat.index);
        assert_eq!(seen, [(Seat { index: 0, count: 2 }, "a"), (Seat { index: 1, count: 2 }, "b")]);
        cores.stop().await;
        assert_eq!(receiver.recv().await, None);
    }
}
