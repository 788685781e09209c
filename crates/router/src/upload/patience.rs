//! How long a client is waited for that sends a body.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::clock::millis;
use crate::pace::Demand;
use crate::shared::Shared;

/// How long its client is waited for.
pub(super) struct Patience {
    /// See there.
    pub(super) shared: Arc<Shared>,
    /// Whether the app answers.
    pub(super) is_answering: AtomicBool,
    /// Whether it may come as slowly as it likes.
    pub(super) is_stream: AtomicBool,
}

impl Patience {
    /// Of the clients of this router.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let (is_answering, is_stream) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { shared: Arc::clone(shared), is_answering, is_stream }
    }

    /// What is asked of the client at this moment.
    pub(super) fn demand(&self) -> Demand {
        let config = &self.shared.config;
        let patient = self.shared.table.load().mesh.clients.head;
        let is_crowded = self.shared.places.are_taken();
        let silence = if is_crowded { patient.min(config.timeouts.crowded_idle) } else { patient };
        Demand {
            silence: millis(silence),
            grace: millis(config.timeouts.body),
            rate: config.limits.body_pace,
        }
    }
}
