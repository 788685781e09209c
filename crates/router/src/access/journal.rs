//! The router's own journal of requests: collected in memory, per core, and written by a thread of its own.

use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use deis_runtime::Journal;

use crate::metrics::Slots;

/// The file is turned over at this size; one older file is kept.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// What one core collects at most, should the disk not keep up; further lines are dropped.
const CORE_BYTES: usize = 1024 * 1024;

/// How long lines are collected before they are written.
const PAUSE: Duration = Duration::from_millis(100);

/// Writes lines. Ends when dropped, with all lines written.
pub(crate) struct Writer {
    collected: Arc<Slots<Collected>>,
    /// Tells the thread of the first line after it wrote; none once it is to end.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whole lines.
type Collected = Mutex<Vec<u8>>;

impl Writer {
    /// Writes to the file at `path`.
    pub(crate) fn open(path: PathBuf) -> std::io::Result<Self> {
        Self::start(Journal::open(path, FILE_BYTES)?)
    }

    fn start(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let collected = Arc::<Slots<Collected>>::default();
        let (wake, woken) = sync_channel(1);
        let all = Arc::clone(&collected);
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let thread = thread.spawn(move || run(&all, &woken, out))?;
        Ok(Self { collected, wake: Some(wake), thread: Some(thread) })
    }

    /// Collects what `compose` appends; whether there was room.
    pub(crate) fn write(&self, compose: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut lines = lock(self.collected.mine());
        if lines.len() >= CORE_BYTES {
            return false;
        }
        let is_first = lines.is_empty();
        compose(&mut lines);
        drop(lines);
        if is_first && let Some(wake) = &self.wake {
            // If it is full, the thread knows already.
            let _ = wake.try_send(());
        }
        true
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported there.
            let _ = thread.join();
        }
    }
}

fn run(collected: &Slots<Collected>, woken: &Receiver<()>, mut out: impl Write) {
    let (mut lines, mut is_broken) = (Vec::new(), false);
    loop {
        let is_last = woken.recv().is_err();
        if !is_last {
            std::thread::sleep(PAUSE);
        }
        for core in collected.all() {
            std::mem::swap(&mut *lock(core), &mut lines);
            let written = out.write_all(&lines).and_then(|()| out.flush());
            note(written, &mut is_broken);
            lines.clear();
        }
        if is_last {
            return;
        }
    }
}

/// Says when writing begins to fail, and not again with every batch.
fn note(written: std::io::Result<()>, is_broken: &mut bool) {
    match written {
        Err(error) if !*is_broken => {
            *is_broken = true;
            tracing::warn!(%error, "failed to write the access log; requests are served without");
        }
        Err(_) => {}
        Ok(()) => *is_broken = false,
    }
}

/// The lines, also after a panic elsewhere: at worst one of them is cut off.
fn lock(lines: &Collected) -> MutexGuard<'_, Vec<u8>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cores::Seat;

    #[test]
    fn all_lines_are_written_whole_whichever_core_they_come_from() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let writer = Writer::open(path.clone()).unwrap();
        std::thread::scope(|scope| {
            for index in 0..4 {
                let writer = &writer;
                scope.spawn(move || {
                    Seat { index, count: 4 }.take();
                    for number in 0..1000 {
                        assert!(writer.write(|out| out.extend(format!("{index} {number}\n").bytes())));
                    }
                });
            }
        });
        drop(writer);
        let text = std::fs::read_to_string(&path).unwrap();
        for index in 0..4 {
            let of_core: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix(&format!("{index} "))).collect();
            assert_eq!(of_core, (0..1000).map(|number| number.to_string()).collect::<Vec<_>>());
        }
    }

    /// A disk that takes in nothing until its end.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_does_not_keep_up_costs_lines_and_no_memory() {
        let (go_on, stuck) = sync_channel(1);
        let writer = Writer::start(Stuck(stuck)).unwrap();
        let mut taken = 0;
        while writer.write(|out| out.extend([b'x'; 1000])) {
            taken += 1;
            assert!(taken <= 3 * CORE_BYTES / 1000, "what waits is bounded");
        }
        drop(go_on);
        drop(writer);
    }
}
