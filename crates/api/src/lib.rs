//! The contract between components, and between the platform and its clients.
//!
//! [`v1`] is the public API 1.7; [`internal`] is what components say to each other; [`status`] is what every role says of itself.

pub mod client;
pub mod internal;
pub mod status;
pub mod v1;

/// The version of the public API, as sent in `DEIS_API_VERSION`.
pub const API_VERSION: &str = "1.7";

/// The platform version that clients of API 1.7 expect, as sent in `DEIS_PLATFORM_VERSION`.
pub const PLATFORM_VERSION: &str = "1.13.4";
