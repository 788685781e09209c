//! Members of the database as real processes: etcd, Patroni and PostgreSQL on loopback addresses.
//!
//! Runs where the packages are and `DEIS_TEST_LONG` says that there is time for them; says so when it skips.

#[cfg(test)]
mod client;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod process;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod writer;
