//! What a service keeps from table to table beside its endpoints.

use crate::budget::Budget;
use crate::queue::Queue;

/// What a service keeps from table to table beside its endpoints, which know it too.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    /// Where its requests wait for an endpoint.
    pub(crate) queue: Queue,
    /// What may be tried again.
    pub(crate) budget: Budget,
}
