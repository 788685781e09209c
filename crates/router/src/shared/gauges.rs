//! What metrics tell of a router: what has been counted, and what is so at this moment.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Shared;
use crate::counters::Gauges;
use crate::metrics::Exposition;
use crate::service::Service;

impl Shared {
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

/// Memory that this process holds, if the system says so.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
