//! The seat: whether this controller leads, and if not, who does.

use std::sync::Arc;

use deis_api::client::InternalClient;
use deis_api::internal::Leader;
use tokio::sync::watch;

use super::Term;

/// Where a controller sits.
#[derive(Clone)]
pub enum Seat {
    /// It leads.
    Leading(Arc<Term>),
    /// It does not; who does, as far as it knows.
    Following(Leader),
}

/// The seat as it changes.
pub type Seats = watch::Receiver<Seat>;

/// Makes a client of the controller at a base URL.
pub type Dial = Arc<dyn Fn(&str) -> InternalClient + Send + Sync>;

impl Seat {
    /// The term, if it leads.
    pub fn term(&self) -> Option<&Arc<Term>> {
        match self {
            Self::Leading(term) => Some(term),
            Self::Following(_) => None,
        }
    }

    /// Who leads.
    pub fn leader(&self) -> Leader {
        match self {
            Self::Leading(term) => term.leader(),
            Self::Following(leader) => leader.clone(),
        }
    }
}
