//! Calls to a component that may be in several places: real sockets on loopback.

#[cfg(test)]
mod failover;
#[cfg(test)]
mod leader;
#[cfg(test)]
mod place;
