//! `docker://`: one Docker Engine, API 1.41 or later, over its socket.
//!
//! Containers of a platform carry its labels *and* a name that agrees with them. Both are asked for wherever containers
//! are read or removed: labels alone prove nothing, since images hand their own labels down to containers.

mod apply;
mod build;
mod build_in;
mod connect;
mod create;
mod events;
mod failure;
mod files;
mod image;
mod inspection;
mod job;
mod logs;
mod network;
mod observe;
mod placement;
mod plan;
mod pull;
mod reference;
mod remove;
mod volume;
mod weight;

pub(crate) use connect::Docker;
pub(crate) use create::{DROPPED_CAPABILITIES, PROCESS_LIMIT, variables};
pub(crate) use failure::{away, present, status, words};
pub(crate) use inspection::nanoseconds;
pub(crate) use job::{KEPT_FOR, now, overdue, unstamped};
pub(crate) use logs::{newer, readable, stamped};
pub(crate) use pull::engine_credentials;
