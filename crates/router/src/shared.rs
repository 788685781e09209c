//! What every part of one router shares.

mod force;
mod gauges;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use deis_runtime::Shutdown;

use crate::access::AccessLog;
use crate::clock::{Clock, Millis, millis};
use crate::compress::Encoders;
use crate::config::Config;
use crate::counters::Counters;
use crate::drain::Drain;
use crate::h1::Pulses;
use crate::households::{Households, Member};
use crate::maker::Maker;
use crate::places::Places;
use crate::probe::Prober;
use crate::quiet::Quiet;
use crate::routes::Routes;
use crate::rules::Bounds;
use crate::table::Table;
use crate::tls::Tls;

use force::most_visitors;

/// What every part of one router shares.
pub(crate) struct Shared {
    /// Settings.
    pub(crate) config: Config,
    /// The time.
    pub(crate) clock: Clock,
    /// The table in force.
    pub(crate) table: Arc<ArcSwap<Table>>,
    /// How visitors are spoken to over TLS.
    pub(crate) tls: Tls,
    /// Told the generation whenever another table comes into force.
    pub(crate) changed: watch::Sender<u64>,
    /// Endpoints that have left the table.
    pub(crate) drain: Drain,
    /// Probes endpoints that are out.
    pub(crate) prober: Prober,
    /// Room for bodies that are taken in before a container is asked, in bytes.
    pub(crate) bodies: Arc<Semaphore>,
    /// What holds back clients of all services.
    pub(crate) bounds: Bounds,
    /// What has been counted.
    pub(crate) counters: Counters,
    /// Takes lines about requests.
    pub(crate) access: Arc<AccessLog>,
    /// Make encoders for answers.
    pub(crate) encoders: Encoders,
    /// Connections and tunnels.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the router is asked to end: whoever is served is told to come back on another connection.
    pub(crate) closing: Shutdown,
    is_closing: AtomicBool,
    /// Cancelled soon after that, when no connections are accepted any more.
    pub(crate) shut: Shutdown,
    /// Cancelled when it does end: work under way is given up.
    pub(crate) ending: CancellationToken,
    /// Visitors' connections.
    pub(crate) places: Places,
    /// How many of them are whose.
    pub(crate) visitors: Households,
    /// The same of those at ports of apps' own.
    pub(crate) callers: Households,
    /// The same of git clients'.
    pub(crate) pushers: Households,
    /// So that connections which should be announced and are not make few warnings.
    pub(crate) unannounced: Quiet,
    /// The same of requests that are none.
    pub(crate) malformed: Quiet,
    /// What common requests' connections do, and until when.
    pub(crate) pulses: Pulses,
    /// When the controller last answered; 0 before it ever did.
    controller_heard: AtomicU64,
    maker: Maker,
}

impl Shared {
    /// A router that starts with `routes`.
    pub(crate) fn new(config: Config, routes: &Routes) -> Self {
        let drain = Drain::default();
        let maker = Maker::new(&config, drain.changed.clone());
        let table = Arc::new(ArcSwap::from_pointee(maker.build(routes, &Table::default())));
        let limit = most_visitors(&config, &table.load());
        let places = Places::new(limit, config.cores);
        let visitors = Households::new(limit);
        let callers = Households::new(config.limits.passages);
        let pushers = Households::new(config.limits.git_connections);
        let ending = CancellationToken::new();
        let prober = Prober::new(maker.clock, config.timeouts.connect_if_others, ending.clone());
        let pulses = Pulses::new(config.cores);
        let buffered = config.limits.buffered_bytes.min(Semaphore::MAX_PERMITS);
        let bounds = Bounds::new(config.cores);
        Self {
            tls: Tls::new(&config, &table, &routes.platform.ticket_keys),
            config,
            clock: maker.clock,
            changed: watch::Sender::new(routes.generation),
            table,
            drain,
            bodies: Arc::new(Semaphore::new(buffered)),
            bounds,
            counters: Counters::default(),
            access: Arc::default(),
            encoders: Encoders::default(),
            tasks: TaskTracker::new(),
            closing: Shutdown::new(),
            is_closing: AtomicBool::new(false),
            shut: Shutdown::new(),
            ending,
            prober,
            places,
            visitors,
            callers,
            pushers,
            unannounced: Quiet::default(),
            malformed: Quiet::default(),
            pulses,
            controller_heard: AtomicU64::new(0),
            maker,
        }
    }

    /// The same, which tells `access` of requests.
    pub(crate) fn logging(self, access: AccessLog) -> Self {
        Self { access: Arc::new(access), ..self }
    }

    /// Tells whoever is served from now on to come back on another connection.
    pub(crate) fn begin_closing(&self) {
        self.is_closing.store(true, Relaxed);
        self.closing.cancel();
    }

    /// Whether the router is asked to end. Cheaper than to ask `closing` itself, which takes a lock that all cores share.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    /// Whether clients should be told to come back on another connection.
    pub(crate) fn wants_connections_closed(&self) -> bool {
        self.is_closing() || self.places.are_taken()
    }

    /// How long a client may take nothing of what it is sent at this moment.
    pub(crate) fn patience_with_readers(&self) -> Duration {
        let timeouts = &self.config.timeouts;
        if self.places.are_taken() { timeouts.body.min(timeouts.take) } else { timeouts.take }
    }

    /// How long a client may take so many bytes of an answer, if it is not in the way of others.
    pub(crate) fn time_to_take(&self, bytes: usize) -> Duration {
        let seconds = bytes as u64 / self.config.limits.body_pace.max(1);
        self.config.timeouts.take.saturating_add(Duration::from_secs(seconds))
    }

    /// Closes connections to endpoints that nobody needs.
    pub(crate) fn reap(&self) {
        let (now, longest): (Millis, Millis) = (self.clock.now(), millis(self.config.timeouts.link_idle));
        for endpoint in self.table.load().endpoints() {
            endpoint.reap(now, longest);
        }
    }

    /// Closes all idle connections to endpoints, as there is no room for others by `error`.
    pub(crate) fn make_room(&self, error: &io::Error) {
        let now = self.clock.now();
        if !self.maker.room.may_clear(now) {
            return;
        }
        tracing::warn!(%error, "no room for one more connection to a container; raise the limit of open files");
        for endpoint in self.table.load().endpoints() {
            // Those too that have been so since this very millisecond.
            endpoint.reap(now + 1, 0);
        }
    }

    /// How many idle connections to endpoints are kept.
    pub(crate) fn kept_links(&self) -> usize {
        self.maker.room.kept()
    }

    /// Counts one more connection in to `client`, one of `households`; none if that has as many as it may.
    pub(crate) fn count_in(
        &self,
        households: &Households,
        client: IpAddr,
        is_announced: bool,
    ) -> Option<Member> {
        let joined = households.join(&self.table.load().mesh, client, is_announced);
        if joined.is_err() {
            self.counters.connections_refused.add();
            if households.may_warn(self.clock.now()) {
                tracing::warn!(%client, "turned away: it has as many connections as one client may (`connectionLimit`); if it is a load balancer, say so (`proxyRealIpCidr`)");
            }
        }
        joined.ok()
    }

    /// Notes that the controller answered.
    pub(crate) fn hear_controller(&self) {
        self.controller_heard.store(self.clock.now(), Relaxed);
    }
}
