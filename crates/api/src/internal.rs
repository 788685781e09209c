//! What components say to each other: JSON over HTTP, `Authorization: Bearer <internal key>`.
//!
//! | who → whom | call | answer |
//! |---|---|---|
//! | router → controller | `POST /internal/routes` [`RoutesRequest`] | 200 [`RoutesResponse`], held until there is news or [`ROUTES_HOLD_SECONDS`] passed; 421 |
//! | publisher → controller | `PUT /internal/hosts/<host>/endpoints` [`EndpointReport`] | 204; 409: send all endpoints; 421 |
//! | deisctl → controller | `DELETE /internal/hosts/<host>` | 204: nobody waits for that host any more; 421 |
//! | controller → controller | `POST /internal/deploys/<app>` [`DeployRequest`] | 200 [`DeployAnswer`], held for as long as the request says; 421 |
//! | controller → controller | `GET /internal/leader` | 200 [`Leader`] |
//! | builder → controller | `GET /internal/keys/<md5 fingerprint>` | 200 [`KeyOwner`], 404 |
//! | builder → controller | `/v1/hooks/{push,config,build}` with `X-Deis-Builder-Auth` | see [`crate::v1::hooks`] |
//! | builder → controller | `GET /internal/apps` | 200 [`AppList`]: apps that exist, to remove repositories of those that do not |
//! | builder → controller | `GET /internal/repositories/<app's UUID>` | 200 [`RepositoryCopy`] |
//! | builder → controller | `PUT /internal/repositories/<app's UUID>` [`CopyChange`] | 204; 404: no such app; 409: another copy counts by now |
//! | logspout, controller, router → logger | `POST /internal/logs` [`LogBatch`] | 204 after it is on disk |
//! | controller → logger | `GET /<app>?log_lines=N[&follow=true]`, `DELETE /<app>` | 200 text/plain lines, 204 when there are none |
//! | deisctl → controller | `/internal/config/<target>`, `POST /internal/admins` | see [`AdminRequest`], [`SettingsPage`] |
//!
//! 421 is the answer of a controller that does not lead; [`crate::client::LEADER`] then says which one does, if that is known.

mod deploys;
mod routes;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use deis_model::{AppId, ContainerName};

pub use deploys::{DeployAnswer, DeployGoal, DeployRequest, Incarnation};
pub use routes::{
    Challenge, ChallengeKind, MAX_DRAINING, PlatformRoutes, ROUTES_HOLD_SECONDS, RoutesRequest,
    RoutesResponse, TicketKey,
};

/// Everything routable on one host; replaces the host's previous report, or renews it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// How long it counts if no other follows, in seconds.
    pub lease_seconds: u32,
    /// Names this list of endpoints, and never another one; at most 64 bytes.
    pub revision: String,
    /// Every container with a port, each judged at least once. None: those that were reported by this revision. A
    /// controller that does not have them (any more) answers 409, and wants them all.
    pub endpoints: Option<Vec<ReportedEndpoint>>,
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

/// Who leads the controllers, as far as one of them knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Its base URL.
    pub url: Option<String>,
    /// Counts leaders: a higher one leads since later.
    pub epoch: i64,
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

/// Which of the copies that builders keep of an app's repository counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryCopy {
    /// Its name; none before the first push.
    pub copy: Option<String>,
}

/// Makes another copy the one that counts, if `was` still is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyChange {
    /// The copy that the new one was made from; none for the first.
    pub was: Option<String>,
    /// The name of the new one.
    pub copy: String,
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
