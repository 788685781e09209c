//! The database: what its calls promise, on both engines, and what it withstands on each.
//!
//! Tests of PostgreSQL start servers of their own from the programs in the directory `DEIS_TEST_POSTGRES`, and say when
//! they skip because it is not set.

#[cfg(test)]
mod acme;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod change;
#[cfg(test)]
mod commit;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod copy;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod files;
#[cfg(test)]
mod lease;
#[cfg(test)]
mod mark;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod repositories;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod writers;
