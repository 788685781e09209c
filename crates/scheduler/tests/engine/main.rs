//! The scheduler's adapters on engines: what all must do, and what `docker://` must besides.

mod cluster;
mod conformance;
mod fixture;
mod image;
mod isolation;
mod job;
mod lost;
mod output;
