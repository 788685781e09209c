//! The image registry: the OCI Distribution Specification 1.1 over the platform's blob store.
//!
//! Builders push here, engines pull from here. Nothing is public: every request carries the configured credentials.
//! What no release needs any more goes when the controller asks for it, see [`GarbageRequest`].

mod auth;
mod blob;
mod body;
mod catalog;
mod config;
mod digest;
mod entry;
mod error;
mod garbage;
mod hash;
mod http;
mod layout;
mod link;
mod manifest;
mod manifest_content;
mod page;
mod range;
mod referrers;
mod registry;
mod repository;
mod stamp;
mod state;
mod tag;
mod tags;
mod target;
mod upload;
mod watch;

pub use config::{Config, Credentials, Limits};
pub use garbage::{GarbageReport, GarbageRequest};
pub use registry::Registry;
