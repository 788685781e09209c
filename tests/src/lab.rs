//! Hosts on this machine for a test of its own: `script/lab`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::command::run;
use crate::lab_host::Host;

/// Where `script/lab` keeps labs.
const LABS: &str = "/var/lib/deis-lab";
/// Labs of tests have names that begin so; the process id and the start time of the test follow.
const PREFIX: &str = "deis-test-";
/// How long one command of the lab may take.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Hosts that see each other and nobody else's. Dropped, they are gone with all that was on them.
pub struct Lab {
    name: Arc<str>,
    hosts: Vec<Host>,
    outside: Host,
}

impl Lab {
    /// Starts `count` hosts with an engine, and the one without that visitors come from.
    pub fn up(count: usize) -> Self {
        static LABS_OF_THIS_PROCESS: AtomicU32 = AtomicU32::new(0);
        remove_left_behind();
        let own = std::process::id();
        let start = started_at(own).expect("this process runs");
        let number = LABS_OF_THIS_PROCESS.fetch_add(1, Ordering::Relaxed);
        let name: Arc<str> = format!("{PREFIX}{own}-{start}-{number}").into();
        // Made before the hosts: if they do not come up, dropping it removes those that did.
        let host = |host: &str| Host::new(&name, host);
        let hosts = (1..=count).map(|number| host(&format!("lab{number}"))).collect();
        let mut lab = Self { outside: host("outside"), hosts, name };
        script(&lab.name, &["up", &count.to_string()]);
        lab.learn_addresses();
        lab
    }

    fn learn_addresses(&mut self) {
        let status = script(&self.name, &["status"]);
        let address = |name: &str| {
            let line = status.lines().find(|line| line.split_whitespace().next() == Some(name));
            let address = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            address.unwrap_or_else(|| panic!("{name} has no address:\n{status}"))
        };
        for host in self.hosts.iter_mut().chain([&mut self.outside]) {
            host.address = address(host.name());
        }
    }

    /// The `number`-th host with an engine, from 1.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// All hosts with an engine.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host without an engine.
    pub fn outside(&self) -> &Host {
        &self.outside
    }

    /// Where its hosts reach this machine.
    pub fn machine(&self) -> IpAddr {
        match self.outside.address {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Ipv4Addr::new(a, b, c, 1).into()
            }
            address @ IpAddr::V6(_) => address,
        }
    }

    /// What it is called; on rules and devices of this machine as well.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let down = run(&mut command(&self.name, &["down"]), TIMEOUT);
        // A second panic would hide the first.
        if !std::thread::panicking() {
            down.succeeded();
        }
    }
}

/// Runs `script/lab` on the lab `name`; panics with everything said unless it succeeds.
#[track_caller]
pub(crate) fn script(name: &str, arguments: &[&str]) -> String {
    run(&mut command(name, arguments), TIMEOUT).succeeded().stdout
}

/// A `script/lab` command on the lab `name`.
pub(crate) fn command(name: &str, arguments: &[&str]) -> Command {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace");
    let mut command = Command::new(workspace.join("script/lab"));
    command.env("DEIS_LAB", name).args(arguments);
    command
}

/// Where the lab `name` keeps what `host` has.
pub(crate) fn directory_of(name: &str, host: &str) -> PathBuf {
    Path::new(LABS).join(name).join("hosts").join(host)
}

/// Removes the labs of tests that have ended without doing so.
fn remove_left_behind() {
    let entries = std::fs::read_dir(LABS).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    for name in names.filter(|name| is_left_behind(name)) {
        run(&mut command(&name, &["down"]), TIMEOUT);
    }
}

/// Whether a lab is one of a test that runs no more.
fn is_left_behind(name: &str) -> bool {
    let Some(owner) = name.strip_prefix(PREFIX) else { return false };
    let mut parts = owner.split('-');
    let (pid, start) = (parts.next().and_then(|pid| pid.parse().ok()), parts.next());
    pid.and_then(started_at).as_deref() != start
}

/// When the process began, in the kernel's words: no two of the same id began at once.
fn started_at(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split_whitespace().nth(19).map(str::to_owned)
}
