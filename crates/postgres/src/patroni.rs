//! Patroni: makes one member the primary and the others its copies, and another the primary when it is gone.

mod client;
mod keep;
mod settings;

pub(crate) use client::{PatroniClient, PatroniMember};
pub(crate) use keep::keep;
pub(crate) use settings::{PLATFORM, dynamic};
