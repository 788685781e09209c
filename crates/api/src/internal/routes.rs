//! What routers ask and are told: where requests lead, and how visitors are treated.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use deis_model::{AppId, AppRoute, ContainerName, KeyPair};

/// How long the controller holds a request for routes when nothing changes, in seconds.
pub const ROUTES_HOLD_SECONDS: u64 = 20;

/// How many containers a router lists as draining at most.
pub const MAX_DRAINING: usize = 1000;

/// A router asks for what changed, and by asking acknowledges what it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesRequest {
    /// A name that stays the same for one router process.
    pub router: String,
    /// The table's incarnation that `applied` belongs to; empty if it has none.
    pub epoch: String,
    /// The newest generation in force in this router; 0 if none.
    pub applied: u64,
    /// The newest generation (at most `applied`) for which no request is under way any more to an endpoint that
    /// had left the table by then: such containers may be stopped.
    pub drained: u64,
    /// Containers that had left the table by `applied` and still have requests under way, sorted: every other one that
    /// had left by then may be stopped. None if there are more than [`MAX_DRAINING`]: then only `drained` counts.
    #[serde(default)]
    pub draining: Option<Vec<ContainerName>>,
    /// Answer at once when the router only reports that it drained.
    pub hold: bool,
}

/// The whole table, or what changed since the generation asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesResponse {
    /// The table's incarnation; another one means `full`.
    pub epoch: String,
    /// The generation that these routes lead to.
    pub generation: u64,
    /// Whether `routes` is everything, in place of what the router has.
    pub full: bool,
    /// Apps that are new or changed.
    pub routes: Vec<AppRoute>,
    /// Apps that are gone.
    pub removed: Vec<AppId>,
    /// Where the platform's own hosts lead.
    pub platform: PlatformRoutes,
}

/// Where the platform's own names and ports lead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformRoutes {
    /// Host names of the API, as `deis.example.com`.
    pub controller_hosts: Vec<String>,
    /// Controllers.
    pub controllers: Vec<SocketAddr>,
    /// Builders' SSH servers.
    pub builders: Vec<SocketAddr>,
    /// Settings of the mesh as operators set them for the target `router`: key → value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// How long requests under way to a container that left the table may take before it is stopped anyway. Seconds;
    /// none if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_seconds: Option<u32>,
    /// What certificate authorities ask for at the moment, sorted by host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub challenges: Vec<Challenge>,
    /// Keys that TLS session tickets are sealed with by every router: the first seals, all open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticket_keys: Vec<TicketKey>,
}

/// What a router answers a certificate authority that asks whether a host is the platform's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Challenge {
    /// The host, in lower case.
    pub host: String,
    /// How it is asked.
    pub kind: ChallengeKind,
}

/// How a certificate authority asks. Source: RFC 8555 section 8.3, RFC 8737.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChallengeKind {
    /// `GET /.well-known/acme-challenge/<token>` over plain HTTP; the answer is `authorization`.
    Http01 {
        /// The last part of the path.
        token: String,
        /// The answer's body.
        authorization: String,
    },
    /// A TLS handshake with ALPN `acme-tls/1`; the answer is this certificate, made for the purpose.
    TlsAlpn01 {
        /// The certificate.
        pair: KeyPair,
    },
}

/// A key that TLS session tickets are sealed with. Shown without the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TicketKey {
    /// 16 bytes in hexadecimal: written on tickets, so that the key to open one is found.
    pub name: String,
    /// 32 bytes in hexadecimal.
    pub key: String,
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TicketKey").field("name", &self.name).finish_non_exhaustive()
    }
}
