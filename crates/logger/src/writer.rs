//! The one thread that changes logs: it stores all batches that wait, syncs once, then acknowledges them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tracing::error;

use deis_model::AppId;
use deis_runtime::StatusBoard;

use crate::archive::{Archive, SharedLog, lock};
use crate::error::WriteError;
use crate::record::Record;

/// How many commands wait; callers beyond that wait themselves.
const WAITING_COMMANDS: usize = 16;
/// How many commands one sync serves.
const MAX_GROUP: usize = 16;
/// How many files are written between two syncs, and so open at once.
const MAX_OPEN: usize = 256;
/// How many files are synced at once; the file system joins their work.
const SYNC_THREADS: usize = 8;
/// For how long records from before an app's removal are refused.
const REMOVED_MEMORY: Duration = Duration::from_secs(600);

/// The records of one batch by app, in the order in which they came.
pub(crate) type Batch = BTreeMap<AppId, Vec<Record>>;

type Answer = oneshot::Sender<Result<(), WriteError>>;

enum Command {
    Append(Batch, Answer),
    Remove(AppId, Answer),
}

/// Hands commands to the writer. Cheap to clone; the writer ends when all are gone.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    commands: mpsc::Sender<Command>,
}

impl WriterHandle {
    /// Returns when `batch` is on disk, or says why it is not.
    pub(crate) async fn append(&self, batch: Batch) -> Result<(), WriteError> {
        self.ask(|answer| Command::Append(batch, answer)).await
    }

    /// Removes everything of `app`; absent is success.
    pub(crate) async fn remove(&self, app: AppId) -> Result<(), WriteError> {
        self.ask(|answer| Command::Remove(app, answer)).await
    }

    async fn ask(&self, command: impl FnOnce(Answer) -> Command) -> Result<(), WriteError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(command(answer)).await.map_err(|_| WriteError::Closed)?;
        answered.await.map_err(|_| WriteError::Closed)?
    }
}

/// Limits that the writer keeps; see [`crate::Config`].
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) segment_bytes: u64,
    pub(crate) retention_bytes_per_app: u64,
    pub(crate) retention_bytes: u64,
}

/// Stores batches.
pub(crate) struct Writer {
    archive: Arc<Archive>,
    limits: Limits,
    status: StatusBoard,
    commands: mpsc::Receiver<Command>,
    /// Logs written since the last sync, with the file to sync.
    written: HashMap<AppId, (SharedLog, Arc<File>)>,
    /// Removed apps, and when: Unix time in nanoseconds.
    removed: HashMap<AppId, i64>,
    /// Bytes written since retention was last seen to.
    unchecked: u64,
    /// Why a sync within the group at hand failed, if one did: nothing in the group is acknowledged then.
    unsynced: Option<WriteError>,
}

impl Writer {
    /// A writer and the way to reach it.
    pub(crate) fn new(archive: Arc<Archive>, limits: Limits, status: StatusBoard) -> (Self, WriterHandle) {
        let (sender, commands) = mpsc::channel(WAITING_COMMANDS);
        let (written, removed) = (HashMap::new(), HashMap::new());
        let writer =
            Self { archive, limits, status, commands, written, removed, unchecked: 0, unsynced: None };
        (writer, WriterHandle { commands: sender })
    }

    /// Works on a thread of its own until every handle is gone; the receiver then learns that it has ended.
    pub(crate) fn spawn(self) -> io::Result<oneshot::Receiver<()>> {
        let (ending, ended) = oneshot::channel();
        let work = move || {
            self.run();
            let _ = ending.send(());
        };
        std::thread::Builder::new().name("log-writer".to_owned()).spawn(work)?;
        Ok(ended)
    }

    fn run(mut self) {
        self.retain();
        while let Some(first) = self.commands.blocking_recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP
                && let Ok(next) = self.commands.try_recv()
            {
                group.push(next);
            }
            self.serve(group);
        }
    }

    fn serve(&mut self, group: Vec<Command>) {
        let mut answers = Vec::new();
        for command in group {
            match command {
                Command::Append(batch, answer) => answers.push((answer, self.append(batch))),
                Command::Remove(app, answer) => answers.push((answer, self.remove(app))),
            }
        }
        self.sync();
        let synced = self.unsynced.take().map_or(Ok(()), Err);
        self.note(answers.iter().map(|(_, result)| result).chain([&synced]));
        for (answer, result) in answers {
            // A caller who left is served the same: it sends again, and repetitions are dropped.
            let _ = answer.send(result.and(synced.clone()));
        }
        self.retain_if_due();
    }

    fn append(&mut self, batch: Batch) -> Result<(), WriteError> {
        for (app, mut records) in batch {
            if let Some(removed) = self.removed.get(&app) {
                records.retain(|record| record.timestamp > *removed);
            }
            if records.is_empty() {
                continue;
            }
            if self.written.len() >= MAX_OPEN {
                self.sync();
            }
            self.append_to(app, records)?;
        }
        Ok(())
    }

    fn append_to(&mut self, app: AppId, records: Vec<Record>) -> Result<(), WriteError> {
        let log = self.archive.find_or_make(&app)?;
        let bytes: usize = records.iter().map(|record| record.text.len() + record.source.len()).sum();
        let file = lock(&log).append(records, self.limits.segment_bytes)?;
        if let Some(file) = file {
            self.unchecked += bytes as u64;
            self.written.insert(app, (log.clone(), file));
            lock(&log).retain(self.limits.retention_bytes_per_app)?;
        }
        Ok(())
    }

    fn remove(&mut self, app: AppId) -> Result<(), WriteError> {
        let now = now();
        let oldest = now.saturating_sub(i64::try_from(REMOVED_MEMORY.as_nanos()).unwrap_or(i64::MAX));
        self.removed.retain(|_, removed| *removed > oldest);
        self.written.remove(&app);
        self.archive.remove(&app)?;
        self.removed.insert(app, now);
        Ok(())
    }

    /// Makes everything written last, and shows it to readers; or takes it back.
    fn sync(&mut self) {
        let written: Vec<(SharedLog, Arc<File>)> = self.written.drain().map(|(_, entry)| entry).collect();
        let many = written.len() > 1;
        for ((log, _), synced) in written.iter().zip(sync_all(&written)) {
            let mut log = lock(log);
            match synced {
                Ok(()) => log.commit(),
                Err(error) => {
                    self.unsynced = Some(WriteError::at(log.directory(), &error));
                    log.roll_back();
                }
            }
            // One busy app keeps its file open; many would hold too many.
            if many {
                log.close();
            }
        }
    }

    fn note<'a>(&self, mut results: impl Iterator<Item = &'a Result<(), WriteError>>) {
        match results.find_map(|result| result.as_ref().err()) {
            None => self.status.well("disk"),
            Some(failure) => {
                error!(error = %failure, "failed to store logs");
                self.status.trouble(
                    "disk",
                    failure,
                    "make space on that disk, or mend it; senders keep their lines meanwhile and send them again",
                );
            }
        }
    }

    fn retain_if_due(&mut self) {
        if self.unchecked >= self.limits.segment_bytes {
            self.retain();
        }
    }

    fn retain(&mut self) {
        self.unchecked = 0;
        if let Err(failure) = self.archive.retain(self.limits.retention_bytes) {
            error!(error = %failure, "failed to remove old logs");
        }
    }
}

/// Syncs every file, some at once; one answer each, in order.
fn sync_all(written: &[(SharedLog, Arc<File>)]) -> Vec<io::Result<()>> {
    if let [(_, file)] = written {
        return vec![file.sync_data()];
    }
    let share = written.len().div_ceil(SYNC_THREADS).max(1);
    std::thread::scope(|scope| {
        let sync = |files: &[(SharedLog, Arc<File>)]| {
            files.iter().map(|(_, file)| file.sync_data()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = written.chunks(share).map(|files| scope.spawn(move || sync(files))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("syncing does not panic")).collect()
    })
}

fn now() -> i64 {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_nanos()).unwrap_or(i64::MAX)
}
