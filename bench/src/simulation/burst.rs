//! Many changes at once, as when a host is lost or comes back: what each costs.

use std::time::{Duration, Instant};

use deis_model::ContainerName;

use super::hosts::Hosts;
use super::processes::{LeadingController, Routers};
use super::size::{Size, app};
use crate::process::processor_seconds;
use crate::series::Series;

/// One container of so many apps changes; of fewer, where there are fewer apps.
const CHANGES: usize = 5000;
/// Routers that serve by the same routes for this long have heard all.
const QUIET: Duration = Duration::from_secs(3);
/// How often routers are asked by which routes they serve.
const LOOK: Duration = Duration::from_millis(20);

/// Has containers get unready and ready again, and prints what that costs.
pub(super) fn measure(controller: &LeadingController, routers: &Routers, hosts: &Hosts, size: Size) {
    let changing = (0..CHANGES.min(size.apps())).filter_map(|index| hosts.containers(&app(index)).pop());
    let changing: Vec<ContainerName> = changing.collect();
    let what = format!("{} containers of as many apps change at once", changing.len());
    let mut taken = Series::new(format!("{what}: to every router"), "s");
    let mut costs = ["controller", "a router"]
        .map(|who| Series::new(format!("{what}: processor time of {who} for each"), "ms"));
    for ready in [false, true] {
        let processes = [vec![controller.process()], routers.processes()];
        let before = processes.each_ref().map(|those| used(those));
        let begun = Instant::now();
        changing.iter().for_each(|container| hosts.judge(container, ready));
        taken.add((until_quiet(routers) - begun).as_secs_f64());
        for ((cost, those), before) in costs.iter_mut().zip(&processes).zip(before) {
            let each = (used(those) - before) / (those.len() * changing.len()) as f64;
            cost.add(each * 1000.0);
        }
    }
    taken.print_tail();
    costs.iter().for_each(Series::print_tail);
}

fn used(processes: &[u32]) -> f64 {
    processes.iter().map(|process| processor_seconds(*process)).sum()
}

/// When the last router began to serve by routes that stayed the newest.
fn until_quiet(routers: &Routers) -> Instant {
    let (mut last, mut since) = (routers.generations(), Instant::now());
    while since.elapsed() < QUIET {
        std::thread::sleep(LOOK);
        let now = routers.generations();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    since
}
