//! How many answers are compressed at a time: each takes up to about a megabyte while it lasts.

use std::sync::Arc;

use deis_model::routing::Encoding;
use tokio::sync::Semaphore;

use super::{Encoder, Verdict};

/// Answers beyond these go as they are.
const PLACES: usize = 1024;

/// Makes encoders while there are places.
pub(crate) struct Encoders(Arc<Semaphore>);

impl Default for Encoders {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Encoders {
    /// One that compresses by `encoding`, as hard as `level` says; none if all places are taken.
    pub(crate) fn make(&self, encoding: Encoding, level: u8) -> Option<Encoder> {
        let permit = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Encoder::new(encoding, level, permit).ok()
    }

    /// What compresses an answer by `verdict`, and what becomes of it when there is no place for one more.
    pub(crate) fn settle(&self, verdict: Verdict, level: u8) -> (Verdict, Option<Encoder>) {
        let Verdict::Compressed(encoding) = verdict else { return (verdict, None) };
        match self.make(encoding, level) {
            Some(encoder) => (verdict, Some(encoder)),
            None => (Verdict::PlainForThis, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_answers_are_compressed_at_a_time() {
        let encoders = Encoders(Arc::new(Semaphore::new(1)));
        let first = encoders.make(Encoding::Gzip, 5);
        assert!(first.is_some() && encoders.make(Encoding::Gzip, 5).is_none());
        drop(first);
        assert!(encoders.make(Encoding::Gzip, 5).is_some());
    }
}
