//! Certificates: those that were uploaded, and those that the platform gets by itself.

use serde::{Deserialize, Serialize};

/// A certificate, without what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// A number, unique.
    pub id: i64,
    /// Username.
    pub owner: String,
    /// What it is called.
    pub common_name: String,
    /// `%Y-%m-%dT%H:%M:%SUTC`: the last second in which it is valid.
    pub expires: String,
    /// Likewise.
    pub created: String,
    /// Likewise.
    pub updated: String,
    /// The host names that it is for; not sent by older platforms.
    #[serde(default)]
    pub names: Vec<String>,
    /// How it stands, if the platform gets it by itself: times are empty then that are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub automatic: Option<Automatic>,
}

/// How a certificate stands that the platform gets by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automatic {
    /// Id of the app that its name leads to.
    pub app: String,
    /// `issued`, `waiting` or `failed`.
    pub state: String,
    /// Why the last order failed, in the authority's words; null if it did not.
    pub problem: Option<String>,
    /// `%Y-%m-%dT%H:%M:%SUTC`: no other order begins before; null if none is known to.
    pub next: Option<String>,
}
