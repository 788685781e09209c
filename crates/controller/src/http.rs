//! The HTTP API 1.7, and the internal calls of other components that are answered from the database.
//!
//! Each file holds the handlers of one noun: they read the request, call a use case and shape the answer.

mod apps;
mod auth;
mod body;
mod builds;
mod caller;
mod canary;
mod certificates;
mod config;
mod containers;
mod domains;
mod envelope;
mod hooks;
mod internal;
mod keys;
mod leader;
mod logs;
mod page;
mod perms;
mod releases;
mod reply;
mod router;
mod routing;
mod run;
mod users;
mod wire;

pub use leader::leader_router;
pub use router::{ApiState, api};
