//! The database role: PostgreSQL on one host, or on three and more, copied, failing over, backed up to the store.
//!
//! On every host of the database runs one [`Keeper`]. It starts etcd and Patroni, which starts PostgreSQL, and takes
//! them down in good order. With three hosts every write is on two before it is acknowledged; when the primary is
//! lost, Patroni makes the other of the two the primary. The write-ahead log and daily base backups go to the store;
//! a database that is to be made on hosts that have nothing is restored from there if the store has one.
//!
//! PostgreSQL calls the program back to archive and to restore ([`archive_wal`], [`restore_wal`], [`restore_base`]);
//! these ask the keeper on the same host, so no secret of the store is ever near PostgreSQL.

mod account;
mod archive;
mod backup;
mod callback;
mod child;
mod config;
mod error;
mod etcd;
mod host;
mod http;
mod image;
mod keeper;
mod layout;
mod member;
mod moment;
mod overseer;
mod patroni;
mod programs;
mod restore;
mod server;
mod tls;
mod wal;

pub use callback::{archive_wal, restore_base, restore_wal};
pub use config::{Config, Member, MemberError, Passwords, Ports, Retention};
pub use error::DatabaseError;
pub use image::{IMAGE_PACKAGES, image_script};
pub use keeper::Keeper;
pub use restore::prepare_restore;
pub use wal::WalName;
