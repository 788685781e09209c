//! The scheduler's adapters on engines: what all must do, and what `docker://` and `swarm://` must besides.

mod cluster;
mod conformance;
mod fixture;
mod hosts;
mod image;
mod isolation;
mod job;
mod lab;
mod lost;
mod output;
mod trouble;
