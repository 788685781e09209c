//! Routes: which hosts lead to which endpoints.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{AppId, ContainerName, ReleaseVersion};

/// One address that serves an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The container behind it.
    pub container: ContainerName,
    /// Where it listens, as reached from routers.
    pub address: SocketAddr,
}

/// Everything a router knows of one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRoute {
    /// The app.
    pub app: AppId,
    /// Lower-case host names that lead to it: `<app>.<platform domain>` and its own domains. No ports, no wildcards.
    pub hosts: Vec<String>,
    /// The release that serves; none before the first deploy.
    pub release: Option<ReleaseVersion>,
    /// Ready containers of that release, sorted. Empty: visitors get 503.
    pub endpoints: Vec<Endpoint>,
}
