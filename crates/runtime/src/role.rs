//! The roles that one process can run.

use std::fmt;
use std::str::FromStr;

/// A part of the platform that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// HTTP API, releases, reconcilers.
    Controller,
    /// Git over SSH to images.
    Builder,
    /// OCI images.
    Registry,
    /// App logs.
    Logger,
    /// Visitors' requests.
    Router,
    /// Endpoints and health of one host's containers.
    Publisher,
    /// Output of one host's containers.
    Logspout,
    /// PostgreSQL on several hosts.
    Database,
}

impl Role {
    /// Those that make a platform on one machine, in the order in which they start. Its database is a file.
    pub const ALL: [Self; 7] = [
        Self::Logger,
        Self::Registry,
        Self::Controller,
        Self::Builder,
        Self::Router,
        Self::Publisher,
        Self::Logspout,
    ];

    /// Its name in commands, settings and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Builder => "builder",
            Self::Registry => "registry",
            Self::Logger => "logger",
            Self::Router => "router",
            Self::Publisher => "publisher",
            Self::Logspout => "logspout",
            Self::Database => "database",
        }
    }

    /// Where it tells operators of a cluster how it is, on every host: a port of its own, as roles share addresses.
    pub const fn status_port(self) -> u16 {
        match self {
            Self::Controller => 9471,
            Self::Builder => 9472,
            Self::Registry => 9473,
            Self::Logger => 9474,
            Self::Router => 9475,
            Self::Publisher => 9476,
            Self::Logspout => 9477,
            Self::Database => 9478,
        }
    }
}

impl AsRef<str> for Role {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a role: use one of controller, builder, registry, logger, router, publisher, logspout, database"
)]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let mut roles = Self::ALL.into_iter().chain([Self::Database]);
        roles.find(|role| role.as_str() == text).ok_or_else(|| RoleError(text.to_owned()))
    }
}
