//! Automatic certificates: which names get one from a certificate authority, when, and what happens when that fails.
//!
//! The protocol is ACME (RFC 8555). One certificate per name: a name that fails keeps no other from its certificate, and
//! a change of one app's domains orders nothing anew that exists already.

pub mod condition;
pub mod name;
pub mod pace;
pub mod plan;
pub mod renewal;
pub mod settings;
pub mod validity;

pub use condition::Condition;
pub use name::{AppNames, Name, Proof, covers, names};
pub use pace::{authority_pause, name_pause};
pub use plan::{Capacity, Held, Plan, Progress, plan};
pub use renewal::{Renewal, Suggestion, ask_again};
pub use settings::{AUTO, AcmeSettings, ExternalAccount, PREFIX};
pub use validity::Validity;
