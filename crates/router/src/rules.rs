//! Judging requests before they are passed on, by the rules of the service they are for.
//!
//! In this order: is it routed at all (404), for HTTPS only (301), is its client allowed (403), too busy (429), is there
//! maintenance (503), who is asking (401), does it look like an attack (firewall), is its body too long (413). Whoever
//! reads requests shows them as a `Head`; nothing here knows how they were read.

mod bounds;
mod fields;
mod firewall;
mod gate;
pub(crate) mod head;
mod limiter;
mod logins;
mod refusal;
mod verifier;

pub(crate) use bounds::Bounds;
#[cfg(any(test, fuzzing))]
pub(crate) use firewall::is_attack;
pub(crate) use gate::{Arrival, Gate};
#[cfg(any(test, fuzzing))]
pub(crate) use logins::parse as parse_login;
pub(crate) use refusal::Refusal;
