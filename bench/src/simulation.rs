//! A platform of a thousand hosts, simulated: a real controller, three real routers, and 50,000 containers that only
//! pretend to run, reported by a thousand publishers in one process.

mod burst;
mod bystanders;
mod change;
mod hosts;
mod lead;
mod processes;
mod rest;
mod seed;
mod servers;
mod size;
mod visitor;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::process::{peak_megabytes, resident_megabytes};
use crate::series::Series;
use bystanders::Bystanders;
use change::Changes;
use hosts::Hosts;
use processes::{LeadingController, Routers};
use seed::Seed;
use servers::Servers;

pub(crate) use lead::lead;
pub(crate) use size::Size;

/// How many routers there are.
const ROUTERS: usize = 3;
/// How long everything runs before the controller starts: publishers then retry at their longest interval.
const AWAY: Duration = Duration::from_secs(15);
/// How long the controller may take until every router serves every app.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Measures all of it and prints the table.
pub(crate) fn measure(size: Size) {
    let tasks = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let tasks = tasks.expect("threads can be started");
    let directory =
        tempfile::Builder::new().prefix("deis-bench-").tempdir().expect("a directory can be made");
    println!("| what | median | p99 | most | rounds |");
    println!("|---|---|---|---|---|");
    let seed = tasks.block_on(Seed::plant(directory.path(), size));
    let servers = tasks.block_on(Servers::start());
    let hosts = Arc::new(Hosts::new(size, servers.addresses()));
    let mut controller = LeadingController::start(directory.path(), &hosts);
    let routers = Routers::start(directory.path(), controller.address, ROUTERS);
    hosts.publish(&tasks, controller.address, &seed.internal_key);
    std::thread::sleep(AWAY);
    open(&mut controller, &routers, size);
    rest::measure(&controller, &routers);
    let changes = Changes { hosts: &hosts, seed: &seed, controller: controller.address, routers: &routers };
    changes.measure("");
    let bystanders = Bystanders::start(&routers, size);
    changes.measure(", with 100 requests a second");
    bystanders.end();
    burst::measure(&controller, &routers, &hosts, size);
    rest::print_memory("after all that: the most that was resident", &controller, &routers, peak_megabytes);
}

/// Lets the controller serve, and prints how long it takes until routers know everything.
fn open(controller: &mut LeadingController, routers: &Routers, size: Size) {
    let pretence = resident_megabytes(controller.process());
    let begun = Instant::now();
    controller.serve();
    let mut opened = Series::new("controller started: to routes of all apps in every router", "s");
    while !routers.app_counts().iter().all(|apps| *apps == size.apps()) {
        assert!(begun.elapsed() < START_TIMEOUT, "routers know {:?} apps", routers.app_counts());
        std::thread::sleep(Duration::from_millis(10));
    }
    opened.add(begun.elapsed().as_secs_f64());
    opened.print_tail();
    println!(
        "| controller before it serves: the containers that it pretends to run | {pretence:.2} MB | | | 1 |"
    );
    let table = routers.table_bytes() as f64 / 1e6;
    println!("| route table as routers keep it on disk | {table:.2} MB | | | 1 |");
}
