//! How visitors' requests are routed: the settings there are, and what they come to for one service.
//!
//! One vocabulary for operators and developers, with the names of the original: `deisctl config router set key=value`
//! holds for the mesh, `deis routing:set key=value` for one app and counts more. [`Setting`] lists them;
//! [`MeshSettings`] and [`AppSettings`] read them; [`Rules`] is what one service's requests are judged by.

mod access;
mod acme;
mod allow;
mod app;
mod cidr;
mod compression;
mod credential;
mod error;
mod header;
mod https;
mod legacy;
mod mesh;
mod network;
mod rate;
mod rules;
mod setting;
mod tls;
mod traffic;
mod value;

pub use acme::parse_switch;
pub use allow::{AllowList, Allowance};
pub use app::{AppSettings, seal, shown};
pub use cidr::{Cidr, CidrError};
pub use compression::{Compression, Encoding};
pub use credential::Credential;
pub use error::SettingError;
pub use header::{HeaderRule, HeaderRules, MAX_HEADER_RULES};
pub use https::{Hsts, Https};
pub use mesh::{Builders, ClientTimeouts, MeshSettings};
pub use network::PORT;
pub use rate::{Rate, RateLimit};
pub use rules::{
    AccessLog, Affinity, Firewall, LogForm, Maintenance, Protocol, ProxyProtocol, Queue, Rules, Timeouts,
};
pub use setting::{Scope, Setting};
pub use tls::{TlsSettings, TlsVersions};
pub(crate) use traffic::whole_percent;
