//! Members of the database as real processes: etcd, Patroni and PostgreSQL on loopback addresses.
//!
//! Runs where the packages are and `DEIS_TEST_DOCKER_URL` says that engines may be used; says so when it skips.

mod faults;
mod hosts;
mod process;
mod restore;
mod writer;
