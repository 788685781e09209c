//! What the platform costs while nothing happens.

use std::time::Duration;

use deis_tests::Platform;

use crate::process::{processor_seconds, resident_megabytes};
use crate::series::Series;

/// How long the platform rests before, and is watched.
const REST: Duration = Duration::from_secs(20);
/// How often that is done.
const ROUNDS: usize = 3;

/// Resident memory and processor time of all roles in one process, with one app running.
pub(crate) fn measure(platform: &Platform) {
    let process = platform.process_ids()[0];
    let mut memory = Series::new("all roles in one process, idle: resident memory", "MB");
    let mut processor = Series::new("all roles in one process, idle: processor time", "% of a core");
    for _ in 0..ROUNDS {
        std::thread::sleep(REST);
        let before = processor_seconds(process);
        std::thread::sleep(REST);
        processor.add((processor_seconds(process) - before) / REST.as_secs_f64() * 100.0);
        memory.add(resident_megabytes(process));
    }
    memory.print();
    processor.print();
}
