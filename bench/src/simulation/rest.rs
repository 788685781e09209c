//! What controller and routers cost while hosts only repeat their reports.

use std::time::{Duration, Instant};

use super::processes::{LeadingController, Routers};
use crate::process::{processor_seconds, resident_megabytes};
use crate::series::Series;

/// How long each is watched; three in a row hold one round in which the controller looks at everything again.
const WATCH: Duration = Duration::from_secs(20);
const ROUNDS: usize = 4;
/// How often it is looked whether the controller is busy.
const LOOK: Duration = Duration::from_millis(100);
/// Of a core: from then on it counts as busy.
const BUSY: f64 = 0.3;

/// Prints what they cost.
pub(super) fn measure(controller: &LeadingController, routers: &Routers) {
    let mut processes = vec![("controller", controller.process())];
    processes.extend(routers.processes().into_iter().map(|process| ("a router", process)));
    let mut costs: Vec<Series> = ["controller", "a router"].map(processor).into();
    let mut busy = Series::new("longest time for which the controller kept busy, in each", "s");
    for _ in 0..ROUNDS {
        let before: Vec<f64> = processes.iter().map(|(_, process)| processor_seconds(*process)).collect();
        busy.add(longest_busy(controller.process()));
        for ((who, process), before) in processes.iter().zip(before) {
            let cost = (processor_seconds(*process) - before) / WATCH.as_secs_f64() * 100.0;
            costs[usize::from(*who != "controller")].add(cost);
        }
    }
    costs.iter().for_each(Series::print_tail);
    busy.print_tail();
    print_memory("at rest: resident memory", controller, routers, resident_megabytes);
}

/// Prints the memory of each, as `read` from its process.
pub(super) fn print_memory(
    what: &str,
    controller: &LeadingController,
    routers: &Routers,
    read: fn(u32) -> f64,
) {
    for (who, processes) in [("controller", vec![controller.process()]), ("a router", routers.processes())] {
        let mut memory = Series::new(format!("{who} {what}"), "MB");
        memory.extend(processes.into_iter().map(read));
        memory.print_tail();
    }
}

fn processor(who: &str) -> Series {
    let what = format!("{who} at rest: processor time over {} s", WATCH.as_secs());
    Series::new(what, "% of a core")
}

/// For how many seconds in a row the process is busy while it is watched.
fn longest_busy(process: u32) -> f64 {
    let begun = Instant::now();
    let (mut longest, mut now) = (0.0_f64, 0.0);
    while begun.elapsed() < WATCH {
        let (looked, before) = (Instant::now(), processor_seconds(process));
        std::thread::sleep(LOOK);
        let passed = looked.elapsed().as_secs_f64();
        let is_busy = (processor_seconds(process) - before) / passed > BUSY;
        now = if is_busy { now + passed } else { 0.0 };
        longest = longest.max(now);
    }
    longest
}
