//! The platform's state: intent that must survive, in one SQL database. All SQL is in this crate.
//!
//! One file per noun holds its record and the calls about it, all methods of [`Database`]. Writes run one at a time in
//! transactions that are on disk when the call returns; reads run beside them on a pool of their own.

pub mod app;
pub mod build;
pub mod config;
pub mod container;
pub mod database;
pub mod desired;
pub mod domain;
pub mod error;
pub mod host;
pub mod job;
pub mod key;
pub mod listing;
pub mod next_release;
pub mod perm;
pub mod push;
pub mod release;
pub mod setting;
pub mod token;
pub mod user;

mod row;
mod transaction;

pub use app::{App, AppAccess};
pub use build::NewBuild;
pub use container::Container;
pub use database::Database;
pub use error::DatabaseError;
pub use host::Host;
pub use listing::{Listing, Slice};
pub use next_release::Released;
pub use push::{NewPush, Push};
pub use user::NewUser;
