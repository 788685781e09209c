//! Judging requests before they are passed on, by the rules of the service they are for.

mod gate;

pub(crate) use gate::Gate;
