//! A host in place of another at 10,000 apps, under load, again and again: how long until it is served, and what that costs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use deis_model::AppRoute;

use super::case::CASES;
use super::controller::Controller;
use super::place::Place;
use super::proxy::{Kind, Proxy};
use super::{caddy, deis, haproxy, host, load, nginx};
use crate::process::resident_megabytes;
use crate::series::Series;

const APPS: usize = 10_000;

/// How long visitors ask before the first change, so that connections are there to be lost.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long a change may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one run of the load generator is; runs follow one another while changes are made.
const LOAD_SECONDS: u32 = 2;

/// How many changes a router is given in a round, one after another. Caddy takes so long for each that it gets fewer.
fn changes(kind: Kind) -> usize {
    if kind == Kind::Caddy { 10 } else { 200 }
}

/// Measures it in `rounds` rounds, the routers in turn.
pub(super) fn measure(rounds: usize, upstream: SocketAddr) {
    let mut rows = Kind::ALL.map(Row::new);
    for _ in 0..rounds {
        for (row, kind) in rows.iter_mut().zip(Kind::ALL) {
            row.add(kind, upstream);
        }
    }
    println!("\nA host in place of another at 10,000 apps, {rounds} rounds:\n");
    println!("| what | median | p99 | most | measured |\n|---|---|---|---|---|");
    rows.iter().for_each(Row::print);
}

/// What one router showed.
struct Row {
    taken: Series,
    before: Series,
    meanwhile: Series,
    failed: Series,
    asked: Series,
}

impl Row {
    fn new(kind: Kind) -> Self {
        let series = |what: &str, unit| Series::new(format!("{}: {what}", kind.name()), unit);
        Self {
            taken: series("from the change to the first answer", "ms"),
            before: series("memory before", "MB"),
            meanwhile: series("memory right after a change", "MB"),
            failed: series("requests of others that failed, in a round", ""),
            asked: series("requests of others, in a round", ""),
        }
    }

    fn add(&mut self, kind: Kind, upstream: SocketAddr) {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (place, controller) = super::place(APPS, upstream, directory.path());
        let proxy = Proxy::start(kind, &place);
        let visitors = Visitors::start(proxy.plain, place.clone());
        std::thread::sleep(WARM_UP);
        self.before.add(memory(&proxy));
        for number in APPS..APPS + changes(kind) {
            let started = Instant::now();
            replace(kind, number, &place, &proxy, &controller);
            wait_for(&host(number), &proxy, started);
            self.taken.add(started.elapsed().as_secs_f64() * 1e3);
            self.meanwhile.add(memory(&proxy));
        }
        let (asked, failed) = visitors.stop();
        self.asked.add(asked);
        self.failed.add(failed);
    }

    fn print(&self) {
        [&self.taken, &self.before, &self.meanwhile, &self.failed, &self.asked]
            .into_iter()
            .for_each(Series::print_tail);
    }
}

fn memory(proxy: &Proxy) -> f64 {
    proxy.processes().into_iter().map(resident_megabytes).sum()
}

/// Serves the host of this number in place of the one before it, in the way that the router has for it.
fn replace(kind: Kind, number: usize, place: &Place, proxy: &Proxy, controller: &Controller) {
    let new = host(number);
    match kind {
        Kind::Deis => {
            let route = deis::route(APPS, place.upstream);
            controller.change(AppRoute { hosts: vec![new], ..route });
        }
        Kind::Haproxy => haproxy::replace(place, &host(number - 1), &new),
        Kind::Nginx => {
            nginx::write(place, Some(&new));
            proxy.signal("HUP");
        }
        Kind::Caddy => caddy::load(place, &new),
    }
}

fn wait_for(host: &str, proxy: &Proxy, since: Instant) {
    while !proxy.answers(host) {
        assert!(since.elapsed() < PATIENCE, "{host} is not served, {PATIENCE:?} after it was to be");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Visitors of the other apps, until they are told to stop.
struct Visitors {
    ended: Arc<AtomicBool>,
    asked: JoinHandle<(f64, f64)>,
}

impl Visitors {
    fn start(address: SocketAddr, place: Place) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let asked = std::thread::spawn(move || ask_until(&seen, address, &place));
        Self { ended, asked }
    }

    /// How many requests they sent, and how many of them failed.
    fn stop(self) -> (f64, f64) {
        self.ended.store(true, Ordering::Relaxed);
        self.asked.join().expect("the load generator runs")
    }
}

fn ask_until(ended: &AtomicBool, address: SocketAddr, place: &Place) -> (f64, f64) {
    let case = CASES.iter().find(|case| case.apps == APPS).expect("there is one");
    let (mut asked, mut failed) = (0.0, 0.0);
    while !ended.load(Ordering::Relaxed) {
        let seen = load::ask(case, address, LOAD_SECONDS, place);
        asked += seen.requests;
        failed += seen.failed;
    }
    (asked, failed)
}
