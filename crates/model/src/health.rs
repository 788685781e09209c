//! How the publisher judges a container ready for traffic.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A container's health check: its port must accept; with a path, a `GET` must answer 200 as well.
///
/// Source: the original's `HEALTHCHECK_URL`, `HEALTHCHECK_INITIAL_DELAY` and `HEALTHCHECK_TIMEOUT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HealthCheck {
    /// A path beginning with `/`; none checks only that the port accepts.
    pub path: Option<String>,
    /// Seconds before the first probe.
    pub initial_delay_seconds: u32,
    /// Seconds that one probe may take, at least 1.
    pub timeout_seconds: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { path: None, initial_delay_seconds: 0, timeout_seconds: 1 }
    }
}

impl HealthCheck {
    /// How long one probe may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds.max(1)))
    }

    /// How long after its start a container is first probed.
    pub fn initial_delay(&self) -> Duration {
        Duration::from_secs(u64::from(self.initial_delay_seconds))
    }
}
