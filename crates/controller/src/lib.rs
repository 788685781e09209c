//! The controller: the API, the apps' desired state, the reconciler that makes the engine match it, and the routes.
//!
//! A call writes what is wanted ([`app`]), the reconciler makes it so ([`reconcile`]), routers are told ([`routes`]). Of
//! several controllers one leads ([`lead`]): it alone does the latter two, and the others wait for it ([`deployer`]).

pub mod acme;
pub mod app;
mod controller;
pub mod deployer;
mod garbage;
pub mod http;
pub mod lead;
mod observation;
pub mod reconcile;
pub mod routes;
mod steady;
mod vault;

pub use controller::{Config, Controller, ControllerError};
pub use garbage::KEPT_RELEASES;
pub use vault::{Vault, VaultError};
