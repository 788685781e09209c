//! Automatic certificates, for the whole mesh: the controller that leads orders them by ACME (RFC 8555), routers answer
//! the authority's challenges, and serve what it issued.
//!
//! What is to be done is decided in [`deis_model::acme`] from what is in the database (`keeper`); each order is a task
//! (`job`) that writes down every step before it takes it: whoever leads next goes on with it (`order`).

mod account;
mod answers;
mod authority;
mod failure;
mod hook;
mod issued;
mod job;
mod keeper;
mod order;
mod report;
mod standing;
mod survey;

use std::sync::Arc;

use deis_database::Database;
use deis_runtime::StatusBoard;
use time::OffsetDateTime;

use crate::Vault;
use crate::app::Events;
use crate::lead::Gate;

pub use answers::Routers;
pub use keeper::Keeper;
pub(crate) use standing::{Named, StandingError};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What certificates are ordered with. Cheap to clone.
#[derive(Clone)]
pub struct AcmeParts {
    /// Keeps accounts, orders and certificates; refuses to write once another controller leads.
    pub database: Database,
    /// Seals keys in it.
    pub vault: Vault,
    /// Answer challenges.
    pub routers: Arc<dyn Routers>,
    /// The apps' own logs.
    pub events: Events,
    /// What is wrong, for operators.
    pub status: StatusBoard,
    /// Whether it is still this controller that leads.
    pub gate: Gate,
    /// The platform's domain.
    pub domain: String,
    /// The time.
    pub clock: Clock,
}

/// What sealed account credentials are sealed for.
fn account_purpose(directory: &str) -> String {
    format!("acme account at {directory}")
}

/// What the sealed key of a certificate for `host` is sealed for.
pub(crate) fn key_purpose(host: &str) -> String {
    format!("acme key of {host}")
}
