//! Everything the requests of one service are judged by.

use std::time::Duration;

use super::allow::Allowance;
use super::compression::Compression;
use super::credential::Credential;
use super::header::HeaderRules;
use super::https::Https;
use super::rate::RateLimit;

/// How much longer nothing may move than a container may take to answer, so that the container's silence is what is told.
pub(super) const IDLE_MARGIN: Duration = Duration::from_secs(10);

/// What holds for one service: an app, or the controllers. Made from the settings of mesh and app.
///
/// [`Rules::default`] is what holds where nobody has set anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether visitors reach it at all; if not, they get 404 as if there were no such host.
    pub is_routable: bool,
    /// Whether visitors get 503 and a page that says so.
    pub maintenance: Maintenance,
    /// Whether it is for HTTPS only.
    pub https: Https,
    /// Who may reach it.
    pub allowance: Allowance,
    /// Who may, by name and password; empty: without any.
    pub basic_auth: Vec<Credential>,
    /// How many requests a client may send.
    pub rate_limit: RateLimit,
    /// The longest body of a request, in bytes; none: without limit.
    pub body_bytes: Option<u64>,
    /// How much of a request's body is taken in before a container is asked, in bytes; 0: it is passed on as it comes.
    pub buffer_bytes: u64,
    /// How long containers may take.
    pub timeouts: Timeouts,
    /// Requests of one client that go to one container.
    pub affinity: Option<Affinity>,
    /// Requests that wait while no container is ready.
    pub queue: Queue,
    /// How long the share of requests grows that a container gets which joins others.
    pub slow_start: Duration,
    /// Whether a container is taken out for a while when several of its answers in a row are errors of the server.
    pub ejects_errors: bool,
    /// How many of a hundred requests go to the release that is tried out.
    pub canary_percent: u8,
    /// What is changed about headers.
    pub headers: HeaderRules,
    /// The `Referrer-Policy` of every answer, whoever gives it; none: as the app sets it.
    pub referrer_policy: Option<String>,
    /// Whether apps learn when a request came in, by `X-Request-Start`.
    pub request_start: bool,
    /// How answers are compressed.
    pub compression: Compression,
    /// Which requests leave a line in the app's own log.
    pub access_log: AccessLog,
    /// Whether lines of a request's head may end without a carriage return.
    pub allows_bare_lf: bool,
    /// Whether requests are looked through for attacks.
    pub firewall: Firewall,
    /// What its containers speak.
    pub protocol: Protocol,
    /// A port of its own at which connections are passed on as they are.
    pub tcp_port: Option<u16>,
    /// Whether TLS connections to its hosts are passed on unopened.
    pub tls_passthrough: bool,
    /// How it learns clients' addresses on connections that are passed on as they are.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The versions of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// What containers speak with routers. Visitors may speak either with either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS and without being asked, as gRPC needs it.
    H2c,
}

/// Whether visitors are told to come again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Whether they are.
    pub is_on: bool,
    /// A page of its own: HTML if it begins with `<`, else plain text.
    pub page: Option<String>,
    /// When to come again.
    pub retry_after: Duration,
}

/// How long containers may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// To begin with an answer.
    pub answer: Duration,
    /// To go on with it, or with a connection that is passed on as it is: how long nothing may move, either way.
    pub idle: Duration,
}

/// By what requests belong together, and go to one container as long as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affinity {
    /// The value of this query argument. Requests without it go anywhere.
    Argument(String),
    /// A cookie of this name, which the router gives.
    Cookie(String),
}

/// Requests that wait while no container is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many at a time in one router; further ones get 503 at once. 0: none waits.
    pub limit: u32,
    /// How long each.
    pub wait: Duration,
}

/// Which requests leave a line, and in which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The form.
    pub form: LogForm,
    /// How many of ten thousand.
    pub per_ten_thousand: u16,
}

/// The form of a line about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// None at all.
    Off,
    /// As web servers write it.
    Combined,
    /// One JSON object.
    Json,
}

/// Whether requests are looked through for attacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firewall {
    /// Whether they are.
    pub is_enabled: bool,
    /// The status that answers one, 400–599.
    pub status: u16,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            is_routable: true,
            maintenance: Maintenance::default(),
            https: Https::default(),
            allowance: Allowance::default(),
            basic_auth: Vec::new(),
            rate_limit: RateLimit::default(),
            body_bytes: Some(1 << 20),
            buffer_bytes: 0,
            timeouts: Timeouts::default(),
            affinity: None,
            queue: Queue::default(),
            slow_start: Duration::from_secs(10),
            ejects_errors: false,
            canary_percent: 0,
            headers: HeaderRules::default(),
            referrer_policy: None,
            request_start: true,
            compression: Compression::default(),
            access_log: AccessLog::default(),
            allows_bare_lf: false,
            firewall: Firewall::default(),
            tcp_port: None,
            protocol: Protocol::Http1,
            tls_passthrough: false,
            proxy_protocol: None,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let answer = Duration::from_secs(1300);
        Self { connect: Duration::from_secs(5), answer, idle: answer + IDLE_MARGIN }
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        Self { is_on: false, page: None, retry_after: Duration::from_secs(300) }
    }
}

impl Default for Firewall {
    fn default() -> Self {
        Self { is_enabled: false, status: 400 }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self { limit: 100, wait: Duration::from_secs(3) }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { form: LogForm::Off, per_ten_thousand: 10_000 }
    }
}
