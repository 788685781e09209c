//! Use cases: what callers may do, in terms of the platform and not of HTTP.

mod access;
mod apps;
mod automatic;
mod build;
mod canary;
mod certificate;
mod config;
mod container;
mod deploys;
mod domain;
mod events;
mod hook;
mod key;
mod log;
mod password;
mod perm;
mod platform;
mod refusal;
mod release;
mod repository;
mod routing;
mod run;
mod scale;
mod setting;
mod token;
mod user;

pub use automatic::Automatic;
pub(crate) use certificate::purpose as certificate_purpose;
pub use container::ContainerView;
pub use deploys::{DATABASE_AWAY, DeployError, Deploys};
pub use events::Events;
pub use log::LogLines;
pub use platform::Platform;
pub use refusal::Refusal;
pub(crate) use setting::purpose as setting_purpose;
pub use user::{NewPassword, Registration};
