//! The logger: takes log records, keeps them per app on disk, tails and follows them.
//!
//! A record is acknowledged after it is on disk. Each app has a directory of numbered segments, written at the end
//! only; the oldest go when an app, or the platform, keeps more than it may. Nothing here logs what apps print.

mod app_log;
mod archive;
mod config;
mod error;
mod follow;
mod frame;
mod http;
mod logger;
mod mirror;
mod newest;
mod record;
mod segment;
mod tail;
mod writer;

pub use config::Config;
pub use error::{LoggerError, WriteError};
pub use logger::Logger;
