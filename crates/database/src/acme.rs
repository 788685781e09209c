//! Automatic certificates: the platform's accounts at authorities, and per name the certificate and the order under way.

mod account;
mod certificate;
mod names;
mod order;

pub use account::AcmeAccount;
pub use certificate::{AcmePair, AcmeState};
pub use order::AcmeOrder;
