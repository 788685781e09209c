//! What every part of one router shares.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use deis_runtime::Shutdown;

use crate::access::AccessLog;
use crate::clock::{Clock, Millis, millis};
use crate::compress::Encoders;
use crate::config::Config;
use crate::counters::{Counters, Gauges};
use crate::drain::Drain;
use crate::h1::Pulses;
use crate::households::{Households, Member};
use crate::maker::Maker;
use crate::metrics::Exposition;
use crate::places::Places;
use crate::probe::Prober;
use crate::quiet::Quiet;
use crate::routes::{Changes, News, Routes};
use crate::rules::Bounds;
use crate::service::Service;
use crate::table::Table;
use crate::tls::Tls;

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
            pulses,
            controller_heard: AtomicU64::new(0),
            maker,
        }
    }

    /// The same, which tells `access` of requests.
    pub(crate) fn logging(self, access: AccessLog) -> Self {
        Self { access: Arc::new(access), ..self }
    }

    /// Puts `routes` in force, which follow on those of generation `last` (0 if they count anew) and differ from them by
    /// `news`. Called by one task only.
    pub(crate) fn enforce(&self, routes: &Routes, last: u64, news: &News) {
        let previous = self.table.load_full();
        let (next, left) = match news {
            News::Some(changes) => self.maker.update(routes, &previous, changes),
            News::All | News::Nothing => {
                let next = self.maker.build(routes, &previous);
                let left = previous.left_by(&next);
                (next, left)
            }
        };
        if !matches!(news, News::Some(Changes { platform: false, .. })) {
            self.tls.enforce(&next.mesh, &routes.platform.ticket_keys);
            let limit = most_visitors(&self.config, &next);
            self.places.resize(limit);
            self.visitors.resize(limit);
        }
        // First the table, then the retirement: a request that finds its endpoint retired must find another table.
        self.table.store(next.into());
        self.drain.retire(last, left);
        self.call_waiting(&previous, news);
        self.changed.send_replace(routes.generation);
    }

    /// Calls requests that wait for what `news` may have brought.
    fn call_waiting(&self, previous: &Table, news: &News) {
        let call = |service: &Arc<Service>| service.reserve.queue.call();
        match news {
            News::Nothing => {}
            News::Some(changes) if !changes.platform => {
                changes.apps.iter().filter_map(|app| previous.apps.get(app)).for_each(call);
            }
            News::Some(_) | News::All => previous.services().for_each(call),
        }
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

    /// What has been counted, as Prometheus reads it.
    pub(crate) fn metrics(&self) -> Exposition {
        let general = self.counters.render(&self.gauges());
        let table = self.table.load();
        let is_shown = |_: &&Arc<Service>| table.mesh.app_metrics;
        let services: Vec<_> = table.services().filter(is_shown).cloned().collect();
        Exposition::new(general, &services)
    }

    /// What is so at this moment.
    fn gauges(&self) -> Gauges {
        let table = self.table.load();
        let in_flight = table.endpoints().map(|endpoint| endpoint.in_flight()).sum();
        let seconds = |end: SystemTime| end.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (heard, now) = (self.controller_heard.load(Relaxed), self.clock.now());
        Gauges {
            in_flight,
            apps: table.app_count(),
            endpoints: table.endpoints().count(),
            generation: table.generation,
            controller_age: (heard != 0).then(|| now.saturating_sub(heard) as f64 / 1000.0),
            certificate_end: table.first_certificate_end().map(seconds),
            tasks: self.tasks.len(),
            kept_links: self.kept_links(),
            memory: resident_bytes(),
            log_lines_dropped: self.access.dropped.value(),
        }
    }
}

/// How many visitors' connections there may be at a time.
fn most_visitors(config: &Config, table: &Table) -> usize {
    let wanted = table.mesh.connections.and_then(|count| usize::try_from(count).ok());
    wanted.unwrap_or(config.limits.connections)
}

/// Memory that this process holds, if the system says so.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use deis_api::internal::PlatformRoutes;

    fn routes(generation: u64, ports: &[u16]) -> Routes {
        let platform = PlatformRoutes {
            controller_hosts: vec!["deis.example.com".to_owned()],
            controllers: ports.iter().map(|port| ([127, 0, 0, 1], *port).into()).collect(),
            ..PlatformRoutes::default()
        };
        Routes { epoch: "e".to_owned(), generation, platform, ..Routes::default() }
    }

    fn board(shared: &Shared) -> crate::endpoint::Flight {
        shared.table.load().find("deis.example.com").unwrap().endpoints[0].board().unwrap()
    }

    #[test]
    fn an_endpoint_may_have_left_with_any_generation_that_was_skipped() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(5, &[1]));
        let flight = board(&shared);
        shared.enforce(&routes(9, &[2]), 5, &News::All);
        assert_eq!(shared.drain.progress(9).drained, 5);
        drop(flight);
        assert_eq!(shared.drain.progress(9).drained, 9);
    }

    #[test]
    fn an_endpoint_that_a_new_incarnation_does_not_know_holds_back_all_its_generations() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(900, &[1]));
        let _flight = board(&shared);
        shared.enforce(&routes(3, &[2]), 0, &News::All);
        assert_eq!(shared.drain.progress(3).drained, 0);
    }

    #[test]
    fn requests_go_by_the_new_table_as_soon_as_it_is_in_force() {
        let shared = Shared::new(Config::new("key", "/nowhere"), &routes(1, &[1]));
        let old = shared.table.load_full();
        shared.enforce(&routes(2, &[2]), 1, &News::All);
        assert!(old.find("deis.example.com").unwrap().endpoints[0].board().is_none());
        assert_eq!(board(&shared).endpoint().address.port(), 2);
    }
}
