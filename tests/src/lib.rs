//! A platform of its own for every test: real `deisd`, real engine, real git and ssh.

mod account;
mod book;
mod ceph;
mod cluster;
mod cluster_backends;
mod cluster_database;
mod cluster_ledger;
mod cluster_load;
mod command;
mod engine;
mod lab;
mod lab_host;
mod load;
mod pebble;
mod platform;
mod ports;
mod private_engine;
mod program;
mod repository;
pub mod scenario;
mod seat;
mod site;
mod small_disk;
mod user;
mod web_image;
mod web_socket;

pub use account::Account;
pub use book::{Book, Words};
pub use ceph::Ceph;
pub use cluster::{Cluster, Plan};
pub use cluster_backends::{Backends, Database, Store};
pub use cluster_ledger::{Done, Ledger};
pub use cluster_load::{Seen, Visitors};
pub use command::Output;
pub use lab::Lab;
pub use lab_host::Host;
pub use load::{Load, Tally};
pub use pebble::Pebble;
pub use platform::{Options, Platform};
pub use ports::free_address;
pub use private_engine::PrivateEngine;
pub use repository::Repository;
pub use site::Site;
pub use small_disk::SmallDisk;
pub use user::User;
pub use web_socket::WebSocket;

/// Whether a real engine is there to test with; says so when not.
pub fn has_engine() -> bool {
    let has = std::env::var_os("DEIS_TEST_DOCKER_URL").is_some();
    if !has {
        eprintln!("skipped: DEIS_TEST_DOCKER_URL is not set; script/test sets it");
    }
    has
}

/// Whether hosts can be made to test with; says so when not.
pub fn has_lab() -> bool {
    let has = std::env::var_os("DEIS_TEST_LAB").is_some();
    if !has {
        eprintln!("skipped: DEIS_TEST_LAB is not set; script/test cluster sets it");
    }
    has
}

/// Whether tests may run that take too long for every change; says so when not.
pub fn has_time() -> bool {
    let has = std::env::var_os("DEIS_TEST_LONG").is_some();
    if !has {
        eprintln!("skipped: DEIS_TEST_LONG is not set; script/test cluster sets it");
    }
    has
}

/// Whether storage servers may be started to test with; says so when not.
pub fn has_store_servers() -> bool {
    let has = std::env::var_os("DEIS_TEST_S3_SERVERS").is_some();
    if !has {
        eprintln!("skipped: DEIS_TEST_S3_SERVERS is not set; script/test sets it");
    }
    has
}
