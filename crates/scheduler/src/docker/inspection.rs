//! What the engine tells only about one container at a time, remembered until an event says that it changed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bollard::models::ContainerInspectResponse;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The exit status of a killed process.
const KILLED: i64 = 137;

/// In nanoseconds.
const CAUSE_FOLLOWS_WITHIN: i64 = 1_000_000_000;

/// The part of an inspection that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inspection {
    pub(super) restarts: u32,
    pub(super) started_at: i64,
    pub(super) exit_code: i64,
    pub(super) out_of_memory: bool,
    pub(super) ip: Option<IpAddr>,
    /// Where other hosts reach a port of it: the port of this host.
    pub(super) published: Option<u16>,
    pub(super) on_host_network: bool,
    /// Why the engine could not start it, in its words.
    pub(super) trouble: Option<String>,
}

/// How a container last ended, as its events told: a running container's inspection no longer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LastExit {
    pub(super) exit_code: Option<i64>,
    pub(super) out_of_memory: bool,
}

/// Inspections by container id, each good for one state of the engine's list.
#[derive(Default)]
pub(super) struct Inspections {
    known: Mutex<HashMap<String, Known>>,
    /// Where other hosts of a Swarm reach this one.
    host: Mutex<Option<IpAddr>>,
}

#[derive(Default)]
struct Known {
    /// Counts changes, so that an inspection begun before a change is not remembered after it.
    changes: u64,
    inspection: Option<(String, Inspection)>,
    /// Whether the kernel killed in it for want of memory since it last started.
    out_of_memory: bool,
    last_exit: LastExit,
    /// When it last ended: Unix time in nanoseconds.
    died_at: i64,
}

/// Under which an inspection that begins now may be remembered.
pub(super) struct Ticket(u64);

impl Inspections {
    /// The inspection of `id` while the list calls its state `state`, or a ticket to remember one.
    pub(super) fn look_up(&self, id: &str, state: &str) -> Result<Inspection, Ticket> {
        let mut known = self.lock();
        let entry = known.entry(id.to_owned()).or_default();
        match &entry.inspection {
            Some((seen, inspection)) if seen == state => Ok(inspection.clone()),
            _ => Err(Ticket(entry.changes)),
        }
    }

    /// Remembers what was seen, unless the container changed meanwhile.
    pub(super) fn remember(&self, id: &str, state: &str, ticket: Ticket, inspection: &Inspection) {
        if let Some(entry) = self.lock().get_mut(id).filter(|entry| entry.changes == ticket.0) {
            entry.inspection = Some((state.to_owned(), inspection.clone()));
        }
    }

    /// How `id` last ended.
    pub(super) fn last_exit(&self, id: &str) -> LastExit {
        self.lock().get(id).map(|entry| entry.last_exit).unwrap_or_default()
    }

    /// Notes that `id` changed.
    pub(super) fn changed(&self, id: &str) {
        let mut known = self.lock();
        let entry = known.entry(id.to_owned()).or_default();
        entry.changes += 1;
        entry.inspection = None;
    }

    /// Notes that `id` began anew.
    pub(super) fn started(&self, id: &str) {
        self.lock().entry(id.to_owned()).or_default().out_of_memory = false;
    }

    /// Notes that the kernel killed in `id` for want of memory, told at `time`.
    pub(super) fn out_of_memory(&self, id: &str, time: i64) {
        let mut known = self.lock();
        let entry = known.entry(id.to_owned()).or_default();
        // The engine may tell of the end before it tells of the cause.
        let late = entry.last_exit.exit_code == Some(KILLED) && time - entry.died_at < CAUSE_FOLLOWS_WITHIN;
        match late {
            true => entry.last_exit.out_of_memory = true,
            false => entry.out_of_memory = true,
        }
    }

    /// Notes how `id` ended at `time`.
    pub(super) fn died(&self, id: &str, exit_code: Option<i64>, time: i64) {
        let mut known = self.lock();
        let entry = known.entry(id.to_owned()).or_default();
        entry.last_exit = LastExit { exit_code, out_of_memory: entry.out_of_memory };
        entry.died_at = time;
    }

    /// Forgets a container that is gone.
    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    /// Where other hosts reach this one, if that is remembered.
    pub(super) fn host(&self) -> Option<IpAddr> {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers where other hosts reach this one.
    pub(super) fn remember_host(&self, address: Option<IpAddr>) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    /// Forgets all: events were missed.
    pub(super) fn clear(&self) {
        self.remember_host(None);
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inspection {
    /// Reads the engine's answer.
    pub(super) fn read(answer: &ContainerInspectResponse) -> Self {
        let state = answer.state.as_ref();
        let host_config = answer.host_config.as_ref();
        let started = state.and_then(|state| state.started_at.as_deref());
        Self {
            restarts: answer.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            started_at: started.map_or(0, nanoseconds),
            exit_code: state.and_then(|state| state.exit_code).unwrap_or(0),
            out_of_memory: state.and_then(|state| state.oom_killed).unwrap_or(false),
            ip: address(answer),
            published: published(answer),
            on_host_network: host_config.and_then(|config| config.network_mode.as_deref()) == Some("host"),
            trouble: state.and_then(|state| state.error.clone()).filter(|error| !error.is_empty()),
        }
    }
}

fn address(answer: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = answer.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|endpoint| endpoint.ip_address.as_ref()?.parse().ok())
}

/// The first port of the host that leads to the container, of IPv4 if there is one.
fn published(answer: &ContainerInspectResponse) -> Option<u16> {
    let ports = answer.network_settings.as_ref()?.ports.as_ref()?;
    let mut bindings: Vec<_> = ports.values().flatten().flatten().collect();
    bindings.sort_by_key(|binding| binding.host_ip.as_deref().is_some_and(|ip| ip.contains(':')));
    bindings.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok())
}

/// Unix time in nanoseconds; 0 for the engine's "never" and for what is no time.
pub(crate) fn nanoseconds(text: &str) -> i64 {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp_nanos);
    i64::try_from(time).unwrap_or(0).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspection_is_good_for_one_state_until_a_change() {
        let inspections = Inspections::default();
        let seen = Inspection { restarts: 1, ..Default::default() };
        let ticket = inspections.look_up("a", "running").expect_err("unknown");
        inspections.remember("a", "running", ticket, &seen);
        assert_eq!(inspections.look_up("a", "running").ok(), Some(seen));
        assert!(inspections.look_up("a", "exited").is_err());
        inspections.changed("a");
        assert!(inspections.look_up("a", "running").is_err());
    }

    #[test]
    fn an_inspection_overtaken_by_a_change_is_not_remembered() {
        let inspections = Inspections::default();
        let ticket = inspections.look_up("a", "running").expect_err("unknown");
        inspections.changed("a");
        inspections.remember("a", "running", ticket, &Inspection::default());
        assert!(inspections.look_up("a", "running").is_err());
    }

    #[test]
    fn want_of_memory_is_told_with_the_end_in_either_order() {
        let inspections = Inspections::default();
        let expected = LastExit { exit_code: Some(KILLED), out_of_memory: true };
        inspections.out_of_memory("before", 5);
        inspections.died("before", Some(KILLED), 6);
        inspections.died("after", Some(KILLED), 6);
        inspections.out_of_memory("after", 7);
        assert_eq!((inspections.last_exit("before"), inspections.last_exit("after")), (expected, expected));
        inspections.started("before");
        inspections.died("before", Some(1), 9);
        assert!(!inspections.last_exit("before").out_of_memory);
    }

    #[test]
    fn times_are_unix_nanoseconds_and_never_is_zero() {
        assert_eq!(nanoseconds("1970-01-01T00:00:01.000000002Z"), 1_000_000_002);
        assert_eq!(nanoseconds("0001-01-01T00:00:00Z"), 0);
        assert_eq!(nanoseconds("soon"), 0);
    }
}
