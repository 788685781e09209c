//! The controller: the API, the apps' desired state, the reconciler that makes the engine match it, and the routes.
//!
//! A call writes what is wanted ([`app`]), the reconciler makes it so ([`reconcile`]), routers are told ([`routes`]).

pub mod app;
mod controller;
mod garbage;
pub mod http;
pub mod reconcile;
pub mod routes;

pub use controller::{Config, Controller, ControllerError};
pub use garbage::KEPT_RELEASES;
