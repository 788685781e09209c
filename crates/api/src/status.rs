//! What a role says of itself, on its status socket (`<data>/run/<role>.sock`, `GET /status`).

use serde::{Deserialize, Serialize};

/// One role, as `deisctl status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleStatus {
    /// `controller`, `builder`, …
    pub role: String,
    /// The version of the executable.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Unix time in seconds.
    pub up_since: i64,
    /// Where it listens; empty for roles that only call others.
    pub address: String,
    /// What else an operator wants to know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is wrong now, with the cure; empty when all is well.
    pub problems: Vec<Problem>,
}

/// Something wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What failed, on what, and why.
    pub cause: String,
    /// What to do.
    pub cure: String,
}
