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

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use deis_model::{AppId, AppRoute, ContainerName, Formation, KeyPair, ReleaseVersion};

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

/// Asks the controller that leads to wait until an app is as its caller wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// Until what.
    pub goal: DeployGoal,
    /// How long, in milliseconds; at most an hour.
    pub hold_millis: u64,
}

/// What a controller waits for on behalf of its caller. What is wanted is in the database already, restarts aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployGoal {
    /// This release is not pending any more and, if it is deployed, every router serves it.
    Release(ReleaseVersion),
    /// This many containers run.
    Formation(Formation),
    /// None of these incarnations of containers is left. Asked again, by another controller perhaps, it goes on with
    /// those that are.
    Restart(Vec<Incarnation>),
}

/// One incarnation of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Incarnation {
    /// Which container.
    pub container: ContainerName,
    /// The engine's id of it.
    pub id: String,
}

/// How a goal stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeployAnswer {
    /// It is reached.
    Done,
    /// Not yet; why, for the app's owner, may be empty.
    Waiting(String),
    /// It will not be reached, for the app's owner.
    Failed(String),
    /// The app or its release was deleted meanwhile.
    Gone,
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
