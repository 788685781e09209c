//! Certificate authorities of tests' own: Pebble, and the DNS server that it asks, from the distribution's packages.
//!
//! Everything panics where a test could not go on.

mod pebble;
mod ports;
mod process;

pub use pebble::{BOUND, Pebble, Policy};
