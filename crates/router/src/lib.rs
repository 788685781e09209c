//! The router: visitors' requests to containers, the API's to controllers, git's to builders.
//!
//! A component like the others: [`Config`], [`Router::bind`], [`Router::run`]. What it serves comes from the
//! controller over `deis_api::internal` and is kept on disk, so that it needs no other role to go on serving.
//!
//! A request's way: its core's `entrance` accepts, `connection` serves one client, `inspect` and `framing` watch its bytes,
//! `h1` and `http2` take common requests a shorter way, and for all others
//! `proxy` finds the service in the `table` and rewrites headers, `attempt` follows its `course` over endpoints picked
//! by `balance`, over links kept in their `pool`, `download` streams the answer back.

mod access;
mod admission;
mod affinity;
mod announced;
mod arriving;
mod attempt;
mod backlog;
mod balance;
mod budget;
mod carrier;
mod challenge;
mod circle;
mod clock;
mod compress;
mod config;
mod connection;
mod cores;
mod counters;
mod course;
mod doors;
mod downgrade;
mod download;
mod drain;
mod ejection;
mod endpoint;
mod entrance;
mod error;
mod farewell;
mod follow;
mod forwarded;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod git;
mod h1;
mod handover;
mod health;
mod hop;
mod host;
mod households;
mod http2;
mod inspect;
mod interim;
mod link;
mod listener;
mod maker;
mod metrics;
mod names;
mod pace;
mod page;
mod passage;
mod passthrough;
mod persist;
mod places;
mod pool;
mod ports;
mod probe;
mod proxy;
mod queue;
mod quiet;
mod reach;
mod reply;
mod request_id;
mod reserve;
mod room;
mod router;
mod routes;
mod rules;
mod served;
mod service;
mod shards;
mod shared;
mod socket;
mod sought;
mod speech;
mod standing;
mod stream;
mod table;
mod tls;
mod trunk;
mod tunnel;
mod upgrade;
mod upload;
mod vigil;
mod visit;

pub use config::{Config, Limits, Timeouts};
pub use error::RouterError;
pub use router::{Addresses, Router};

pub use deis_model::routing::{Cidr, CidrError};
