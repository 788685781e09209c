//! What runs beside the containers of a host: the publisher tells where they are reached, logspout what they print.

pub mod firewall;
pub mod images;
pub mod logspout;
pub mod publisher;

mod backoff;
mod observer;
