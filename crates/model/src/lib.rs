//! Names, records, rules and plans of the platform.
//!
//! Pure: no async, no I/O, no clock, no randomness. Time and ids are arguments.

pub mod acme;
pub mod app;
pub mod app_name;
pub mod build;
pub mod canary;
pub mod certificate;
pub mod command;
pub mod config;
pub mod config_change;
pub mod container;
pub mod desired;
pub mod domain;
pub mod ending;
pub mod field;
pub mod formation;
pub mod health;
pub mod intent;
pub mod key;
pub mod limit;
pub mod permission;
pub mod plan;
pub mod process;
pub mod release;
pub mod route;
pub mod routing;
pub mod seconds;
pub mod service;
pub mod summary;
pub mod tag;
pub mod user;
pub mod workload;

pub use app::{AppId, AppIdError};
pub use build::{Build, Procfile, ProcfileError};
pub use certificate::Certificate;
pub use config::{Config, ConfigKey, ConfigKeyError, Environment};
pub use config_change::ConfigChange;
pub use container::{ContainerName, ContainerNameError, ContainerState, ContainerStatus};
pub use desired::{Desired, ReleaseContent};
pub use domain::Domain;
pub use ending::{Drain, Ending, Notice};
pub use field::FieldErrors;
pub use health::HealthCheck;
pub use key::Key;
pub use process::{Formation, ProcessType, ProcessTypeError};
pub use release::{Release, ReleaseState, ReleaseVersion};
pub use route::{AppRoute, Canary, Endpoint, KeyPair};
pub use seconds::{Seconds, SecondsError, WithinADay};
pub use service::{FileMount, HostAccess, Mount, Spread};
pub use user::User;
pub use workload::{Command, Job, Limits, Workload, WorkloadId};
