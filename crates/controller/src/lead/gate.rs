//! The gate: whether this controller still leads, by its own clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Open until a moment that every renewal of the lease puts off. Cheap to clone.
///
/// Looked at right before whatever only the leader may do: a process that was stopped for a while, and does not know
/// it, must not go on where another one has begun.
#[derive(Clone)]
pub struct Gate {
    /// None: open for ever.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Gate {
    /// A gate that stays open, for a controller that is alone.
    pub fn open() -> Self {
        Self { until: Arc::default() }
    }

    /// A gate that is open until `end`.
    pub fn open_until(end: Instant) -> Self {
        Self { until: Arc::new(Mutex::new(Some(end))) }
    }

    /// Keeps it open until `end`, or opens it again.
    pub fn extend(&self, end: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
    }

    /// Whether it is open now.
    pub fn is_open(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|end| Instant::now() < end)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_gate_is_open_until_its_end_and_again_when_it_is_put_off() {
        let now = Instant::now();
        let gate = Gate::open_until(now);
        assert!(!gate.is_open() && Gate::open().is_open());
        gate.extend(now + Duration::from_secs(600));
        assert!(gate.is_open());
    }
}
