//! What an operator can set.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use deis_api::client::Peers;
use rustix::process::{Resource, getrlimit};

use crate::Cidr;

/// Settings of one router. No `Debug`: it holds a key.
#[derive(Clone)]
pub struct Config {
    /// Where visitors come in, by IPv4, IPv6 or both. `[::]` takes IPv4 as well, unless `0.0.0.0` is there too with its
    /// port; so it is for all four. Default 127.0.0.1:8080.
    pub http: Vec<SocketAddr>,
    /// Where visitors come in over TLS. Default: nowhere.
    pub https: Vec<SocketAddr>,
    /// Where git over SSH comes in. Default 127.0.0.1:2222.
    pub git: Vec<SocketAddr>,
    /// Where load balancers ask whether this router lives, and where `/metrics` is. Default 127.0.0.1:9090.
    pub health: Vec<SocketAddr>,
    /// What this router is called, different from every other one's at a time: its host's name where there are
    /// several. Default `router`.
    pub name: String,
    /// Controllers, which hand out routes. If they are reached over TLS, so is the API that they serve to visitors.
    /// Default `127.0.0.1:8000`, without TLS.
    pub controllers: Peers,
    /// The key that components share.
    pub internal_key: String,
    /// Where the last route table is kept; made if missing.
    pub state_dir: PathBuf,
    /// Peers whose `X-Forwarded-*`, `X-Request-Id` and `X-Request-Start` are believed: load balancers in front.
    /// Default: loopback.
    pub trusted: Vec<Cidr>,
    /// Whether another router of this platform may hold the addresses already, for this one to take over.
    /// If not, addresses that anybody listens on are refused. Default: yes.
    pub takes_over: bool,
    /// Threads that serve visitors. Default: as many as this process may use cores.
    pub cores: usize,
    /// Whether common HTTP/1.1 requests take a shorter way than all others, who see no difference. Default: yes.
    pub short_way: bool,
    /// Bounds, each with a stated behaviour.
    pub limits: Limits,
    /// How long each thing may take.
    pub timeouts: Timeouts,
    /// The file of this router's own access log, turned over before it grows too large; none: it has none. Default: none.
    pub access_log: Option<PathBuf>,
    /// Loggers, which take lines for apps that want requests in their own log. Default: none.
    pub loggers: Option<Peers>,
}

/// Bounds of one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Visitors' connections at a time. At the limit no more are accepted (they wait in the kernel's backlog),
    /// answers carry `Connection: close` and idle connections are closed, until there is room. Default 10,000.
    pub connections: usize,
    /// Connections at a time that set up TLS; further ones are closed. Default 2,000.
    pub handshakes: usize,
    /// Git connections at a time; at the limit no more are accepted. Default 1,000.
    pub git_connections: usize,
    /// Connections at a time at all ports of apps' own; at the limit no more are accepted. Default 10,000.
    pub passages: usize,
    /// A request's head; larger ones are answered 431. Bytes, default 32 KiB.
    pub head_bytes: usize,
    /// A request's body where no setting says otherwise; larger ones are answered 413. Bytes, default 1 MiB, as in the
    /// original.
    pub body_bytes: u64,
    /// Bytes of a request's body that a client sends at least for each second in which it is waited for, on average and
    /// after [`Timeouts::body`]; slower ones are answered 408. The same of an answer that a client takes, after
    /// [`Timeouts::take`]; slower ones are disconnected. Default 240.
    pub body_pace: u64,
    /// What all requests' bodies together may take that are taken in before a container is asked; further ones are passed
    /// on as they come. Bytes, default 64 MiB.
    pub buffered_bytes: usize,
    /// Idle connections kept to each endpoint. Default 128.
    pub idle_links: usize,
    /// Idle connections kept to all endpoints together; further ones are closed. Default a quarter of the files that
    /// this process may open, and at least 256.
    pub idle_links_total: usize,
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A client to send a request's head, from its first byte, then the connection is closed; and any byte of its body
    /// for which the router waits, then the answer is 408. Default 60 s.
    pub head: Duration,
    /// A client to send a request's body before it must keep to [`Limits::body_pace`]. Only what the router waits for
    /// the client counts. Default 30 s.
    pub body: Duration,
    /// A client to take what it is sent of an answer, beside the time that this needs by [`Limits::body_pace`]; then the
    /// connection is closed. Only what the router waits for the client counts. While as many are connected as may be, no
    /// longer than `body`. Default 5 minutes.
    pub take: Duration,
    /// A client to set up TLS; then the connection is closed. Default 15 s.
    pub handshake: Duration,
    /// A client's connection on which nothing moves; must exceed that of a load balancer in front. Default 1310 s.
    pub client_idle: Duration,
    /// The same, or a client that does not go on with a request's body, while as many are connected as may be.
    /// Default 5 s.
    pub crowded_idle: Duration,
    /// A container to accept a connection. Default 5 s.
    pub connect: Duration,
    /// The same while there is another one to try; also of builders. Default 1 s.
    pub connect_if_others: Duration,
    /// A container to answer; then the visitor gets 504. Default 1300 s, as in the original.
    pub answer: Duration,
    /// A controller to answer. Default 20 minutes, as in the original.
    pub controller_answer: Duration,
    /// All tries together to reach a container that accepts, when none does; then the visitor gets 502. Default 1 s.
    pub reach: Duration,
    /// Kept-alive connections to containers. Default 30 s.
    pub link_idle: Duration,
    /// The same for requests that cannot be repeated: the container may be closing it right now. Default 800 ms.
    pub link_idle_unrepeatable: Duration,
    /// A builder to accept a git connection. Default 10 s.
    pub git_connect: Duration,
    /// A git connection on which nothing moves. Default 20 minutes.
    pub git_idle: Duration,
    /// Anybody who asks for health or metrics to take any of the answer, and to take all metrics; then the connection is
    /// closed. Default 60 s.
    pub scrape: Duration,
    /// From being asked to end, when `/health-check` begins to answer 503, until no connections are taken any more: as
    /// long as load balancers take to notice. Not if another router has taken over the sockets. Default 0 s.
    pub notice: Duration,
    /// Requests under way when no connections are taken any more. Default 30 s.
    pub shutdown: Duration,
    /// Idle clients' connections at that time: a request that is on its way already is still served. Default 2 s.
    pub shutdown_idle: Duration,
}

impl Config {
    /// Default settings with this key, keeping state in `state_dir`.
    pub fn new(internal_key: impl Into<String>, state_dir: impl Into<PathBuf>) -> Self {
        let local = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self {
            http: vec![local(8080)],
            https: Vec::new(),
            git: vec![local(2222)],
            health: vec![local(9090)],
            name: "router".to_owned(),
            controllers: Peers::new([local(8000)], None),
            internal_key: internal_key.into(),
            state_dir: state_dir.into(),
            trusted: Cidr::LOOPBACK.to_vec(),
            takes_over: true,
            short_way: true,
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            access_log: None,
            loggers: None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 2_000,
            git_connections: 1_000,
            passages: 10_000,
            head_bytes: 32 * 1024,
            body_bytes: 1024 * 1024,
            body_pace: 240,
            buffered_bytes: 64 * 1024 * 1024,
            idle_links: 128,
            idle_links_total: a_quarter_of_the_files().max(256),
        }
    }
}

fn a_quarter_of_the_files() -> usize {
    let files = getrlimit(Resource::Nofile).current;
    files.and_then(|files| usize::try_from(files / 4).ok()).unwrap_or(usize::MAX)
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            head: minutes(1),
            body: Duration::from_secs(30),
            take: minutes(5),
            handshake: Duration::from_secs(15),
            client_idle: Duration::from_secs(1310),
            crowded_idle: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            connect_if_others: Duration::from_secs(1),
            answer: Duration::from_secs(1300),
            controller_answer: minutes(20),
            reach: Duration::from_secs(1),
            link_idle: Duration::from_secs(30),
            link_idle_unrepeatable: Duration::from_millis(800),
            git_connect: Duration::from_secs(10),
            git_idle: minutes(20),
            scrape: minutes(1),
            notice: Duration::ZERO,
            shutdown: Duration::from_secs(30),
            shutdown_idle: Duration::from_secs(2),
        }
    }
}
