//! What an answer comes over.

use std::task::Context;

use crate::clock::Millis;
use crate::endpoint::Endpoint;
use crate::link::Link;
use crate::trunk::Lane;

/// What an answer comes over.
pub(crate) enum Carrier {
    /// A connection of its own, which has to be driven.
    Link(Link),
    /// Part of one that others use at the same time, and that drives itself.
    Lane(Lane),
}

impl Carrier {
    /// Lets the connection make progress; wakes the caller's task when there is more.
    pub(crate) fn drive(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Link(link) => link.drive(context),
            Self::Lane(_) => {}
        }
    }

    /// Makes the connection drive itself.
    pub(crate) fn let_go(&mut self) {
        match self {
            Self::Link(link) => link.let_go(),
            Self::Lane(_) => {}
        }
    }

    /// Keeps the connection for the next request to `endpoint`.
    pub(crate) fn give_back(self, endpoint: &Endpoint, now: Millis) {
        match self {
            Self::Link(link) => endpoint.pool.put(link, now),
            Self::Lane(lane) => drop(lane),
        }
    }
}
