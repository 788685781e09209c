//! Names, records, rules and plans of the platform.
//!
//! Pure: no async, no I/O, no clock, no randomness. Time and ids are arguments.

pub mod app;
pub mod build;
pub mod config;
pub mod container;
pub mod health;
pub mod process;
pub mod release;
pub mod route;
pub mod workload;

pub use app::{AppId, AppIdError};
pub use build::{Build, Procfile, ProcfileError};
pub use config::{Config, ConfigKey, ConfigKeyError, Environment};
pub use container::{ContainerName, ContainerNameError, ContainerState, ContainerStatus};
pub use health::HealthCheck;
pub use process::{Formation, ProcessType, ProcessTypeError};
pub use release::{Release, ReleaseState, ReleaseVersion};
pub use route::{AppRoute, Endpoint};
pub use workload::{Command, Job, Limits, Workload, WorkloadId};
