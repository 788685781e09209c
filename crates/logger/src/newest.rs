//! The newest timestamp of each source of an app: only records not newer than it can have been stored before.

use std::collections::HashMap;

use crate::record::Record;

/// How many sources are remembered.
const MAX_SOURCES: usize = 1024;

/// Source → newest timestamp stored.
#[derive(Default)]
pub(crate) struct Newest {
    timestamps: HashMap<String, i64>,
}

impl Newest {
    /// Notes that a record was stored.
    pub(crate) fn note(&mut self, source: &str, timestamp: i64) {
        if let Some(known) = self.timestamps.get_mut(source) {
            *known = timestamp.max(*known);
            return;
        }
        if self.timestamps.len() >= MAX_SOURCES {
            self.forget_stalest();
        }
        self.timestamps.insert(source.to_owned(), timestamp);
    }

    /// Whether `record` has to be looked for among the stored ones.
    pub(crate) fn may_be_stored(&self, record: &Record) -> bool {
        self.timestamps.get(&record.source).is_some_and(|newest| record.timestamp <= *newest)
    }

    /// One-off commands have a source each, and do not come back.
    fn forget_stalest(&mut self) {
        let stalest = self.timestamps.iter().min_by_key(|(_, timestamp)| **timestamp);
        if let Some(source) = stalest.map(|(source, _)| source.clone()) {
            self.timestamps.remove(&source);
        }
    }
}
