//! Every app's log, found by the app's id.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use deis_model::AppId;

use crate::app_log::{AppLog, Continuation};
use crate::error::{LoggerError, WriteError};

/// One app's log, shared by the writer and readers. Locked only for moments: never while a disk syncs.
pub(crate) type SharedLog = Arc<Mutex<AppLog>>;

/// All logs below one directory.
pub(crate) struct Archive {
    directory: PathBuf,
    logs: Mutex<HashMap<AppId, SharedLog>>,
    continuation: Continuation,
}

impl Archive {
    /// Notes which logs are in `directory`, which is made if missing.
    pub(crate) fn open(directory: &Path, continuation: Continuation) -> Result<Self, LoggerError> {
        let logs = load(directory, continuation)
            .map_err(|source| LoggerError::Open { path: directory.to_owned(), source })?;
        Ok(Self { directory: directory.to_owned(), logs: Mutex::new(logs), continuation })
    }

    /// The log of `app`, if there is one.
    pub(crate) fn find(&self, app: &AppId) -> Option<SharedLog> {
        lock(&self.logs).get(app).cloned()
    }

    /// The log of `app`, empty if there is none yet.
    pub(crate) fn find_or_make(&self, app: &AppId) -> Result<SharedLog, WriteError> {
        let mut logs = lock(&self.logs);
        if let Some(log) = logs.get(app) {
            return Ok(log.clone());
        }
        let directory = self.directory.join(app.as_str());
        let log = AppLog::load(app.clone(), directory.clone(), self.continuation);
        let log = Arc::new(Mutex::new(log.map_err(|error| WriteError::at(&directory, &error))?));
        logs.insert(app.clone(), log.clone());
        Ok(log)
    }

    /// Removes the log of `app`; absent is success.
    pub(crate) fn remove(&self, app: &AppId) -> Result<(), WriteError> {
        let Some(log) = self.find(app) else { return Ok(()) };
        lock(&log).remove()?;
        lock(&self.logs).remove(app);
        Ok(())
    }

    /// The bytes of every segment that are on disk for sure.
    pub(crate) fn committed(&self) -> BTreeMap<(AppId, u64), u64> {
        let logs: Vec<(AppId, SharedLog)> =
            lock(&self.logs).iter().map(|(app, log)| (app.clone(), log.clone())).collect();
        let of = |(app, log): (AppId, SharedLog)| {
            let segments: Vec<_> =
                lock(&log).segments().map(|segment| (segment.number, segment.committed)).collect();
            segments.into_iter().map(move |(number, committed)| ((app.clone(), number), committed))
        };
        logs.into_iter().flat_map(of).collect()
    }

    /// Removes segments until no more than `limit` bytes are left: closed ones first, oldest first.
    ///
    /// For the writer only, between commits.
    pub(crate) fn retain(&self, limit: u64) -> Result<(), WriteError> {
        let mut segments = self.segments();
        let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
        segments.sort_by_key(|segment| (segment.last, segment.modified));
        for segment in segments {
            if total <= limit {
                break;
            }
            lock(&segment.log).drop_segment(segment.number)?;
            total -= segment.bytes;
        }
        Ok(())
    }

    fn segments(&self) -> Vec<Held> {
        let logs: Vec<SharedLog> = lock(&self.logs).values().cloned().collect();
        let held = |shared: &SharedLog| {
            let log = lock(shared);
            let newest = log.segments().map(|segment| segment.number).max();
            log.segments()
                .map(|segment| Held {
                    log: shared.clone(),
                    number: segment.number,
                    bytes: segment.appended,
                    last: Some(segment.number) == newest,
                    modified: segment.modified,
                })
                .collect::<Vec<_>>()
        };
        logs.iter().flat_map(held).collect()
    }
}

/// One segment of any app.
struct Held {
    log: SharedLog,
    number: u64,
    bytes: u64,
    /// Whether it is the one its app writes to.
    last: bool,
    modified: SystemTime,
}

fn load(directory: &Path, continuation: Continuation) -> io::Result<HashMap<AppId, SharedLog>> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut logs = HashMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Ok(app) = AppId::parse(&entry.file_name().to_string_lossy()) {
            let log = AppLog::load(app.clone(), entry.path(), continuation)?;
            logs.insert(app, Arc::new(Mutex::new(log)));
        }
    }
    Ok(logs)
}

/// The content, also after a panic elsewhere: files decide what is stored, and are checked when read.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
