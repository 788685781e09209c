//! What every request of one service passes, ready for use.

use std::sync::Arc;

use deis_model::routing::Rules;

/// The rules of one service.
#[derive(Default)]
pub(crate) struct Gate {
    /// What they are.
    pub(crate) rules: Arc<Rules>,
}

impl Gate {
    /// The gate for `rules`.
    pub(crate) fn new(rules: &Arc<Rules>) -> Self {
        Self { rules: Arc::clone(rules) }
    }
}
