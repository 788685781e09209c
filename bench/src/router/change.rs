//! One host more at 10,000 apps, under load: how long until it is served, and what that costs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::case::CASES;
use super::controller::Controller;
use super::place::Place;
use super::proxy::{Kind, Proxy};
use super::{deis, haproxy, host, load, nginx};
use crate::process::{peak_megabytes, resident_megabytes};
use crate::series::Series;

const APPS: usize = 10_000;

/// How long visitors ask while the host is added.
const LOAD_SECONDS: u32 = 8;

/// Measures it in `rounds` rounds. Caddy can only be given all of its settings anew and is left out.
pub(super) fn measure(rounds: usize, upstream: SocketAddr) {
    println!("\nA route more at 10,000 apps, {rounds} rounds:\n");
    println!("| what | median | range | rounds |\n|---|---|---|---|");
    for kind in [Kind::Deis, Kind::Nginx, Kind::Haproxy] {
        let name = kind.name();
        let mut taken = Series::new(format!("{name}: from the change to the first answer"), "ms");
        let mut before = Series::new(format!("{name}: memory before"), "MB");
        let mut most = Series::new(format!("{name}: the most memory, with the change"), "MB");
        let mut failed = Series::new(format!("{name}: requests of others that failed"), "");
        for _ in 0..rounds {
            let change = once(kind, upstream);
            taken.add(change.taken.as_secs_f64() * 1e3);
            before.add(change.before);
            most.add(change.most);
            failed.add(change.failed);
        }
        [taken, before, most, failed].iter().for_each(Series::print);
    }
}

struct Change {
    taken: Duration,
    before: f64,
    most: f64,
    failed: f64,
}

fn once(kind: Kind, upstream: SocketAddr) -> Change {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (place, controller) = super::place(APPS, upstream, directory.path());
    let proxy = Proxy::start(kind, &place);
    let address = proxy.plain;
    let case = CASES.iter().find(|case| case.apps == APPS).expect("there is one");
    let visited = place.clone();
    let load = std::thread::spawn(move || load::ask(case, address, LOAD_SECONDS, &visited));
    std::thread::sleep(Duration::from_secs(2));
    let before = proxy.processes().into_iter().map(resident_megabytes).sum();
    let started = Instant::now();
    add_host(kind, &place, &proxy, &controller);
    while !proxy.answers(&host(APPS)) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let taken = started.elapsed();
    let most = proxy.processes().into_iter().map(peak_megabytes).sum();
    let failed = load.join().expect("the load generator runs").failed;
    Change { taken, before, most, failed }
}

fn add_host(kind: Kind, place: &Place, proxy: &Proxy, controller: &Controller) {
    match kind {
        Kind::Deis => controller.change(deis::route(APPS, place.upstream)),
        Kind::Haproxy => haproxy::add(place, &host(APPS)),
        Kind::Nginx | Kind::Caddy => {
            nginx::write(place, APPS + 1);
            proxy.signal("HUP");
        }
    }
}
