//! What developers live through, the same wherever the platform runs.
//!
//! Each scenario has a user of its own and leaves no app, so that one platform can serve several, one after the other.

pub mod examples;
pub mod journey;
