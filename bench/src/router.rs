//! The router beside nginx, HAProxy and Caddy as Debian has them: the same app behind all, one after another, in rounds.
//!
//! What counts is processor time per request, user and system, of all processes of a router: on a busy machine it says
//! more than requests a second.

mod caddy;
mod case;
mod certificate;
mod change;
mod controller;
mod deis;
mod haproxy;
mod load;
mod newcomers;
mod nginx;
mod place;
mod proxy;
mod report;
mod upstream;
mod visitor;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use case::{CASES, Case};
use certificate::Certificate;
use controller::Controller;
use place::Place;
use proxy::{Kind, Proxy};
use report::{Report, Round};

use deis_tests::free_address;

use crate::process::{processor_seconds, resident_megabytes};

pub(crate) use upstream::serve as serve_upstream;

/// How long each router is asked in each round, in seconds.
const SECONDS: u32 = 4;

/// How long it is asked before that.
const WARM_UP_SECONDS: u32 = 1;

/// The host of the app of this number. The first one's is found without help, so that visitors name it when they set up TLS.
fn host(number: usize) -> String {
    match number {
        0 => "localhost".to_owned(),
        _ => format!("app-{number}.example.com"),
    }
}

/// Measures all routers in `rounds` rounds, in the cases whose names contain `wanted`, and prints the tables.
pub(crate) fn measure(rounds: usize, wanted: &str) {
    let upstream = Upstream::start();
    for case in CASES.iter().filter(|case| case.name.contains(wanted)) {
        let mut report = Report::new(case.name);
        for _ in 0..rounds {
            report.add(Kind::ALL.map(|kind| round(kind, case, upstream.address)));
        }
        report.print();
    }
    if "a host in place of another".contains(wanted) {
        change::measure(rounds, upstream.address);
    }
}

fn round(kind: Kind, case: &Case, upstream: SocketAddr) -> Round {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (place, _controller) = place(case.apps, upstream, directory.path());
    let proxy = Proxy::start(kind, &place);
    let address = if case.is_tls { proxy.tls } else { proxy.plain };
    load::ask(case, address, WARM_UP_SECONDS, &place);
    let before = seconds(&proxy);
    let seen = load::ask(case, address, SECONDS, &place);
    let used = seconds(&proxy) - before;
    let memory = proxy.processes().into_iter().map(resident_megabytes).sum();
    Round { used_per_100_000: used / seen.requests * 1e5, memory, seen }
}

/// A place for one router, and the controller that ours asks for routes.
fn place(apps: usize, upstream: SocketAddr, directory: &std::path::Path) -> (Place, Controller) {
    let certificate = Certificate::new();
    let routes = (0..apps).map(|number| deis::route(number, upstream)).collect();
    let controller = Controller::start(routes, deis::platform(&certificate));
    let place = Place {
        directory: directory.to_owned(),
        plain: free_address(),
        tls: free_address(),
        upstream,
        controller: controller.address,
        apps,
        certificate,
    };
    (place, controller)
}

fn seconds(proxy: &Proxy) -> f64 {
    proxy.processes().into_iter().map(processor_seconds).sum()
}

/// The app behind all routers. Ends when dropped.
struct Upstream {
    child: Child,
    address: SocketAddr,
}

impl Upstream {
    fn start() -> Self {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
        command.args(["router-upstream", &address.to_string()]).stdin(Stdio::null());
        let child = command.spawn().expect("this program can be started once more");
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Self { child, address }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
