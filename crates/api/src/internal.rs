//! What components say to each other: JSON over HTTP, `Authorization: Bearer <internal key>`.
//!
//! | who → whom | call | answer |
//! |---|---|---|
//! | router → controller | `POST /internal/routes` [`RoutesRequest`] | 200 [`RoutesResponse`], held until there is news or [`ROUTES_HOLD_SECONDS`] passed |
//! | publisher → controller | `PUT /internal/hosts/<host>/endpoints` [`EndpointReport`] | 204 |
//! | builder → controller | `GET /internal/keys/<md5 fingerprint>` | 200 [`KeyOwner`], 404 |
//! | builder → controller | `/v1/hooks/{push,config,build}` with `X-Deis-Builder-Auth` | see [`crate::v1::hooks`] |
//! | builder → controller | `GET /internal/apps` | 200 [`AppList`]: apps that exist, to remove repositories of those that do not |
//! | logspout, controller, router → logger | `POST /internal/logs` [`LogBatch`] | 204 after it is on disk |
//! | controller → logger | `GET /<app>?log_lines=N[&follow=true]`, `DELETE /<app>` | 200 text/plain lines, 204 when there are none |
//! | deisctl → controller | `/internal/config/<target>`, `POST /internal/admins` | see [`AdminRequest`], [`SettingsPage`] |

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use deis_model::{AppId, AppRoute, ContainerName};

/// How long the controller holds a request for routes when nothing changes, in seconds.
pub const ROUTES_HOLD_SECONDS: u64 = 20;

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
}

/// Everything routable on one host; replaces the host's previous report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// How long it counts if no other follows, in seconds.
    pub lease_seconds: u32,
    /// Every container with a port, each judged at least once.
    pub endpoints: Vec<ReportedEndpoint>,
}

/// One container with a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedEndpoint {
    /// Which container.
    pub container: ContainerName,
    /// The engine's id of it.
    pub id: String,
    /// Where its port is reached from routers.
    pub address: SocketAddr,
    /// Whether its health check passes.
    pub ready: bool,
    /// Why not, for the app's owner: `port 5000 refused the connection`, `GET /health answered 500`.
    pub reason: Option<String>,
}

/// Whom an SSH key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOwner {
    /// The user.
    pub username: String,
    /// The key's text as uploaded: `<type> <base64> [comment]`.
    pub public: String,
}

/// The apps that exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppList {
    /// Sorted by id.
    pub apps: Vec<ListedApp>,
}

/// One app that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedApp {
    /// Its name, which another app may have once it is gone.
    pub id: AppId,
    /// Lower-case hyphenated UUID.
    pub uuid: String,
}

/// Log records in the order in which they were printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBatch {
    /// At most 10,000 and 8 MiB.
    pub records: Vec<LogRecord>,
}

/// One line of an app's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Whose log.
    pub app: String,
    /// `web.1`, `run.3`, or `deis-controller` for lifecycle events.
    pub source: String,
    /// Unix time in nanoseconds.
    pub timestamp: i64,
    /// The line without its end.
    pub text: String,
}

/// Creates an administrator, or makes an existing user one.
#[derive(Clone, Serialize, Deserialize)]
pub struct AdminRequest {
    /// The user.
    pub username: String,
    /// Set if the user is new, or to be replaced.
    pub password: Option<String>,
    /// May be empty.
    pub email: String,
}

/// Settings of one target, as `deisctl config <target>` reads and writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsPage {
    /// Key → value; on writing, null removes.
    pub values: BTreeMap<String, Option<String>>,
}
