//! The platform's state: intent that must survive, in one SQL database. All SQL is in this crate.
//!
//! SQLite for one machine, PostgreSQL for several: one schema, one code path. One file per noun holds its record and
//! the calls about it, all methods of [`Database`]. Writes run one at a time, of all processes together, in transactions
//! that are on disk when the call returns; reads run beside them on connections of their own.
//!
//! A call on PostgreSQL survives a restart or failover of the server that is over within seconds: what was not committed
//! runs again, what was is not repeated. A longer outage gives [`DatabaseError::Away`]; nothing has to be opened anew.

pub mod acme;
pub mod app;
pub mod app_setting;
pub mod build;
pub mod canary;
pub mod certificate;
pub mod change;
pub mod config;
pub mod container;
pub mod copy;
pub mod database;
pub mod desired;
pub mod domain;
pub mod error;
pub mod host;
pub mod job;
pub mod key;
pub mod lease;
pub mod listing;
pub mod mark;
pub mod next_release;
pub mod perm;
pub mod push;
pub mod release;
pub mod repository;
pub mod setting;
pub mod ticket_key;
pub mod token;
pub mod user;

mod connection;
mod migrations;
mod patience;
mod postgres;
mod query;
mod receipt;
mod row;
mod sqlite;
mod transaction;

pub use acme::{AcmeAccount, AcmeOrder, AcmePair, AcmeState};
pub use app::{App, AppAccess};
pub use build::NewBuild;
pub use canary::Canaries;
pub use certificate::{NewCertificate, SealedPair};
pub use change::Change;
pub use container::Container;
pub use copy::{Copied, copy};
pub use database::Database;
pub use error::DatabaseError;
pub use host::Host;
pub use lease::{Lease, LeaseRow};
pub use listing::{Listing, Slice};
pub use mark::Mark;
pub use next_release::Released;
pub use push::{NewPush, Push};
pub use ticket_key::SealedTicketKey;
pub use user::NewUser;
