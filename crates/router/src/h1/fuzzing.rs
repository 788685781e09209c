//! What must hold for messages that are read on the short way. See `crate::fuzzing`.

pub(crate) mod answer;
pub(crate) mod chunks;
pub(crate) mod request;
