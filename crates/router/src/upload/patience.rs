//! How long a client is waited for that sends a body.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
}
