//! How far the output of each container has been acknowledged.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deis_runtime::file::write_atomically;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// A place in a container's output.
///
/// Lines may carry the same time (parts of a long one always do), so those at it are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    /// Of the newest line: Unix time in nanoseconds.
    pub(super) timestamp: i64,
    /// How many lines had just that time.
    pub(super) lines: u32,
}

impl Position {
    /// The position after a line printed at `timestamp`.
    pub(super) fn after(self, timestamp: i64) -> Self {
        match timestamp.cmp(&self.timestamp) {
            std::cmp::Ordering::Greater => Self { timestamp, lines: 1 },
            std::cmp::Ordering::Equal => Self { lines: self.lines + 1, ..self },
            // Two streams are merged by the engine, now and then out of order.
            std::cmp::Ordering::Less => self,
        }
    }
}

/// Positions by container id, kept in a file. Cheap to clone.
#[derive(Clone)]
pub(super) struct Positions {
    path: PathBuf,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    positions: BTreeMap<String, Position>,
    /// Whether the file lags behind.
    changed: bool,
}

impl Positions {
    /// Reads the file at `path`; absent is empty.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let positions = match std::fs::read(path) {
            Ok(text) => parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let kept = Arc::new(Mutex::new(Kept { positions, changed: false }));
        Ok(Self { path: path.to_owned(), kept })
    }

    /// How far container `id` was acknowledged.
    pub(super) fn of(&self, id: &str) -> Position {
        self.lock().positions.get(id).copied().unwrap_or_default()
    }

    /// Notes that all up to these positions is acknowledged.
    pub(super) fn acknowledge(&self, positions: impl IntoIterator<Item = (String, Position)>) {
        let mut kept = self.lock();
        kept.positions.extend(positions);
        kept.changed = true;
    }

    /// Forgets containers that are gone.
    pub(super) fn retain(&self, exists: impl Fn(&str) -> bool) {
        let mut kept = self.lock();
        let before = kept.positions.len();
        kept.positions.retain(|id, _| exists(id));
        kept.changed |= before != kept.positions.len();
    }

    /// Writes the file if it lags behind.
    pub(super) fn save(&self) -> io::Result<()> {
        let text = {
            let mut kept = self.lock();
            if !std::mem::take(&mut kept.changed) {
                return Ok(());
            }
            serde_json::to_vec(&kept.positions).expect("texts and numbers always serialize")
        };
        let written = write_atomically(&self.path, &text, 0o600);
        if written.is_err() {
            self.lock().changed = true;
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A damaged file only means that lines are shipped again.
fn parse(path: &Path, text: &[u8]) -> BTreeMap<String, Position> {
    serde_json::from_slice(text).unwrap_or_else(|error| {
        warn!(path = %path.display(), %error, "failed to understand positions; output is shipped again");
        BTreeMap::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(times: &[i64], timestamp: i64, lines: u32) {
        let position = times.iter().fold(Position::default(), |position, time| position.after(*time));
        assert_eq!(position, Position { timestamp, lines }, "{times:?}");
    }

    #[test]
    fn lines_of_the_same_time_are_counted() {
        check(&[5], 5, 1);
        check(&[5, 5, 5], 5, 3);
        check(&[5, 5, 7], 7, 1);
        check(&[7, 5, 7], 7, 2);
    }

    #[test]
    fn positions_survive_and_those_of_removed_containers_go() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("positions.json");
        let positions = Positions::open(&path).expect("open");
        let place = Position { timestamp: 7, lines: 2 };
        positions.acknowledge([("a".to_owned(), place), ("b".to_owned(), place)]);
        positions.retain(|id| id == "a");
        positions.save().expect("save");
        let again = Positions::open(&path).expect("open again");
        assert_eq!((again.of("a"), again.of("b")), (place, Position::default()));
        std::fs::write(&path, "{").expect("damage");
        assert_eq!(Positions::open(&path).expect("open damaged").of("a"), Position::default());
    }
}
