//! The HTTP API, driven in process: a real database in memory, and a deploy side and a logger that work but run nothing.

mod accounts;
mod apps;
mod builds;
mod config;
mod containers;
mod deploys;
mod domains;
mod envelope;
mod hooks;
mod internal;
mod keys;
mod load;
mod logger;
mod logs;
mod perms;
mod platform;
mod releases;
mod run;
mod scale;
