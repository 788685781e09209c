//! Routes: which hosts lead to which endpoints.

use std::collections::BTreeMap;
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
    /// Lower-case host names that lead to it: `<app>.<platform domain>` and its own domains, in ASCII. No ports. The
    /// first label may be `*`: all names below that no other route has exactly.
    pub hosts: Vec<String>,
    /// The release that serves; none before the first deploy.
    pub release: Option<ReleaseVersion>,
    /// Ready containers of that release, sorted. Empty: visitors get 503.
    pub endpoints: Vec<Endpoint>,
    /// Its routing settings, over those of the platform: key → value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Certificates for its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<KeyPair>,
}

impl AppRoute {
    /// The route of `app` without anything: it has no host, and nothing serves it.
    pub fn new(app: AppId) -> Self {
        let (hosts, endpoints, settings, certificates) = Default::default();
        Self { app, hosts, release: None, endpoints, settings, certificates }
    }
}

/// A certificate and its key. Shown without the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyPair {
    /// PEM: the certificate, then those that vouch for it, each by the next.
    pub chain: String,
    /// PEM: the private key.
    pub key: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("chain", &self.chain).finish_non_exhaustive()
    }
}
