//! Keeps apps away from the platform and from each other: what their containers send to a port of a role is refused by the
//! host's firewall, and what they send to other containers on their bridge is dropped.
//!
//! The roles authenticate every caller anyway; this takes away the chance to try.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::Duration;

use deis_runtime::{Role, Shutdown, StatusBoard};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tracing::{info, warn};

/// Our own chain of rules.
const CHAIN: &str = "DEIS-PLATFORM";
/// Where it is asked: packets to this host, and packets that it hands on.
const ASKED_FROM: [&str; 2] = ["INPUT", "FORWARD"];
/// The engine's bridges, on which containers send: its default ones, those it names itself, and the platform's own.
const BRIDGES: [&str; 3] = ["docker+", "br-+", "deis+"];
/// The bridge that engines in a cluster attach apps to.
const APPS: &str = "docker0";
/// Whether packets between containers on one bridge pass the firewall: `1`. Absent as long as the kernel's part for it is
/// not loaded, which engines see to when they become part of a cluster.
const PASSED: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
/// How often the rules are looked after: an engine that starts again puts its own before them.
const LOOK_AFTER: Duration = Duration::from_secs(20);
/// How long the firewall's own lock is waited for, in seconds.
const LOCK_SECONDS: &str = "5";

/// Why the rules could not be set.
#[derive(Debug, Error)]
pub enum FirewallError {
    /// The program does not start.
    #[error("failed to start {program}: {source}; install the package iptables")]
    Start {
        /// `iptables` or `iptables-restore`.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The kernel does not ask the firewall about packets on a bridge.
    #[error("containers on this host reach each other: {PASSED} is not 1")]
    Passed,
    /// The program refused.
    #[error("{program} {arguments} failed: {reason}")]
    Refused {
        /// `iptables` or `iptables-restore`.
        program: &'static str,
        /// What it was asked.
        arguments: String,
        /// What it said.
        reason: String,
    },
}

impl FirewallError {
    fn cure(&self) -> &'static str {
        match self {
            Self::Passed => {
                "run `modprobe br_netfilter && sysctl -w net.bridge.bridge-nf-call-iptables=1` on this host, and make \
                 both permanent"
            }
            Self::Start { .. } | Self::Refused { .. } => "give this role NET_ADMIN and install iptables",
        }
    }
}

/// The rules of one host.
pub struct Firewall {
    /// Ports of roles that apps have no business with.
    closed: BTreeSet<SocketAddr>,
    status: StatusBoard,
}

impl Firewall {
    /// Rules that close `closed`, ports of hosts of the platform, to apps. Only IPv4, which is what containers are
    /// given; loopback addresses need none, and any address is not one.
    pub fn new(closed: impl IntoIterator<Item = SocketAddr>, status: StatusBoard) -> Self {
        let is_reached = |closed: &SocketAddr| {
            closed.is_ipv4() && !closed.ip().is_loopback() && !closed.ip().is_unspecified()
        };
        Self { closed: closed.into_iter().filter(is_reached).collect(), status }
    }

    /// Sets the rules and looks after them until `shutdown`. They stay: so do the containers.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut is_well = false;
        loop {
            match self.hold().await {
                Ok(()) => {
                    self.status.well("firewall");
                    if !std::mem::replace(&mut is_well, true) {
                        info!(
                            ports = self.closed.len(),
                            "apps are kept away from the platform's ports and from each other"
                        );
                    }
                }
                Err(failure) => {
                    is_well = false;
                    warn!(error = %failure, "failed to keep apps away from the platform's ports and from each other");
                    self.status.trouble("firewall", &failure, failure.cure());
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOOK_AFTER) => {}
            }
        }
    }

    async fn hold(&self) -> Result<(), FirewallError> {
        self.set().await?;
        match tokio::fs::read_to_string(PASSED).await {
            Ok(text) if text.trim() == "1" => Ok(()),
            _ => Err(FirewallError::Passed),
        }
    }

    /// Makes the rules be in force, whatever was there; nothing is open in between.
    pub async fn set(&self) -> Result<(), FirewallError> {
        restore(&rules(&self.closed)).await?;
        for chain in ASKED_FROM {
            for bridge in BRIDGES {
                self.ask(chain, bridge).await?;
            }
        }
        Ok(())
    }

    /// Has `chain` ask ours about what comes from `bridge`, before any rule of others: an engine that starts again puts its
    /// own first.
    async fn ask(&self, chain: &str, bridge: &str) -> Result<(), FirewallError> {
        let jump = format!("-i {bridge} -j {CHAIN}");
        let listed = iptables(&["-S", chain]).await?;
        accepted("iptables", &format!("-S {chain}"), &listed)?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        let ours = format!("-A {chain} {jump}");
        let mut rules = listed.lines().filter(|line| line.starts_with("-A "));
        match rules.position(|line| line == ours) {
            Some(place) if place < BRIDGES.len() => Ok(()),
            Some(_) => restore(&format!("*filter\n-D {chain} {jump}\n-I {chain} 1 {jump}\nCOMMIT\n")).await,
            None => restore(&format!("*filter\n-I {chain} 1 {jump}\nCOMMIT\n")).await,
        }
    }
}

/// The rules as `iptables-restore` reads them: naming the chain empties it, and all of it happens at once.
fn rules(closed: &BTreeSet<SocketAddr>) -> String {
    let rule = |closed: &SocketAddr| {
        let (host, port) = (closed.ip(), closed.port());
        format!("-A {CHAIN} -d {host} -p tcp -m tcp --dport {port} -j REJECT --reject-with tcp-reset\n")
    };
    let rules: String = closed.iter().map(rule).collect();
    let apart = format!("-A {CHAIN} -i {APPS} -o {APPS} -j DROP\n");
    // At which roles tell operators how they are, on every host.
    let status = Role::ALL.into_iter().chain([Role::Database]).map(|role| {
        let port = role.status_port();
        format!(
            "-A {CHAIN} -p tcp -m addrtype --dst-type LOCAL -m tcp --dport {port} -j REJECT --reject-with tcp-reset\n"
        )
    });
    let status: String = status.collect();
    format!("*filter\n:{CHAIN} - [0:0]\n{apart}{status}{rules}COMMIT\n")
}

async fn restore(rules: &str) -> Result<(), FirewallError> {
    let program = "iptables-restore";
    let failed = |source| FirewallError::Start { program, source };
    let mut process = Command::new(program)
        .args(["--noflush", "-w", LOCK_SECONDS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = process.stdin.take() {
        input.write_all(rules.as_bytes()).await.map_err(failed)?;
    }
    accepted(program, "--noflush", &process.wait_with_output().await.map_err(failed)?)
}

async fn iptables(arguments: &[&str]) -> Result<Output, FirewallError> {
    let program = "iptables";
    let mut command = Command::new(program);
    command.args(["-w", LOCK_SECONDS]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.map_err(|source| FirewallError::Start { program, source })
}

fn accepted(program: &'static str, arguments: &str, output: &Output) -> Result<(), FirewallError> {
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(FirewallError::Refused { program, arguments: arguments.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_closed_port_has_a_rule_in_a_chain_that_starts_empty() {
        let closed = ["10.0.0.1:8000", "10.0.0.2:5001"].map(|text| text.parse().unwrap()).into();
        let rules = rules(&closed);
        let (begins, ends) = (
            "*filter\n:DEIS-PLATFORM - [0:0]\n-A DEIS-PLATFORM -i docker0 -o docker0 -j DROP\n",
            "-A DEIS-PLATFORM -d 10.0.0.1 -p tcp -m tcp --dport 8000 -j REJECT --reject-with tcp-reset\n\
             -A DEIS-PLATFORM -d 10.0.0.2 -p tcp -m tcp --dport 5001 -j REJECT --reject-with tcp-reset\nCOMMIT\n",
        );
        assert!(rules.starts_with(begins) && rules.ends_with(ends), "{rules}");
        assert!(rules.contains(" --dst-type LOCAL -m tcp --dport 9476 -j REJECT"), "{rules}");
    }

    #[test]
    fn addresses_that_containers_never_reach_need_no_rule() {
        let closed = ["0.0.0.0:8088", "127.0.0.1:5000", "[fd00::1]:8000", "10.0.0.1:8000"];
        let firewall =
            Firewall::new(closed.map(|text| text.parse().unwrap()), StatusBoard::new(Role::Publisher));
        assert_eq!(firewall.closed, ["10.0.0.1:8000".parse().unwrap()].into());
    }
}
