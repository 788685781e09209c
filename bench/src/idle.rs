//! What the platform costs while nothing happens.

use std::time::Duration;

use deis_tests::Platform;

use crate::series::Series;

/// How long the platform rests before, and is watched.
const REST: Duration = Duration::from_secs(20);
/// How often that is done.
const ROUNDS: usize = 3;
/// Clock ticks a second, as the kernel counts processor time.
const TICKS: f64 = 100.0;

/// Resident memory and processor time of all roles in one process, with one app running.
pub(crate) fn measure(platform: &Platform) {
    let process = platform.process_ids()[0];
    let mut memory = Series::new("all roles in one process, idle: resident memory", "MB");
    let mut processor = Series::new("all roles in one process, idle: processor time", "% of a core");
    for _ in 0..ROUNDS {
        std::thread::sleep(REST);
        let before = ticks(process);
        std::thread::sleep(REST);
        processor.add((ticks(process) - before) / TICKS / REST.as_secs_f64() * 100.0);
        memory.add(resident_megabytes(process));
    }
    memory.print();
    processor.print();
}

/// User and system time: fields 14 and 15 of `stat`, counted behind the name, which may hold spaces.
fn ticks(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the platform runs");
    let (_, rest) = stat.rsplit_once(')').expect("the name is in parentheses");
    rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().expect("a number")).sum()
}

fn resident_megabytes(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the platform runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}
