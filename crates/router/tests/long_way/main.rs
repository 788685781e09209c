//! All tests of the router once more, with the short way of common requests closed: whichever way a request takes, the
//! router keeps its promises.

#[cfg(test)]
#[path = "../router/main.rs"]
mod router;

#[cfg(test)]
use router::support;
