//! Base backups in the store: whole copies of the database, from which the write-ahead log leads on.
//!
//! `<prefix>/<system>/base/<time>/` holds `base.tar.zst` and, written last, `backup.json`: without it there is no backup.

mod catalog;
mod take;

pub(crate) use catalog::{Backup, Catalog};
pub(crate) use take::take;
