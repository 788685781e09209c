//! The scheduler port: runs workloads by way of engines that exist.
//!
//! A URL picks the adapter: `docker://` (one Docker Engine, or Podman's compatible socket), `swarm://`
//! (Docker Swarm mode), `memory://`.

mod cluster;
mod docker;
mod engine;
mod error;
mod images;
mod labels;
mod memory;
mod output;
mod placement;
mod scheduler;
mod swarm;

pub use cluster::{Cluster, ClusterHost, HostState, Ticket};
pub use engine::{Engine, Options, open, pretend};
pub use error::SchedulerError;
pub use images::{BuildContainer, BuildOutcome, Credentials, ImageFacts, Images, Progress};
pub use output::{ContainerOutput, OutputFrame, OutputStream};
pub use scheduler::{Attachment, Change, JobOutcome, Scheduler};
