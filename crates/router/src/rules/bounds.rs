//! What holds back clients of all services of one router together.

use super::limiter::Limiter;
use super::verifier::Verifier;

/// What holds back clients, whichever service they ask for.
pub(crate) struct Bounds {
    /// Holds each to the pace of each service.
    pub(super) limiter: Limiter,
    /// Checks the passwords they bring.
    pub(super) verifier: Verifier,
}

impl Bounds {
    /// Those of a router with so many cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self { limiter: Limiter::default(), verifier: Verifier::new(cores) }
    }
}
