//! The scheduler's adapters on engines: what all must do, and what `docker://` must besides.

mod conformance;
mod docker;
mod fixture;
