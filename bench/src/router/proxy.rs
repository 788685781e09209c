//! The routers that are compared, each a process (or several) of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::place::Place;
use super::{caddy, deis, haproxy, nginx};

/// How long a proxy may take to answer after its start, with a table of any size.
const STARTS: Duration = Duration::from_secs(60);

/// Which router.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours.
    Deis,
    /// As Debian has it.
    Nginx,
    /// As Debian has it.
    Haproxy,
    /// As Debian has it.
    Caddy,
}

/// A router that runs. Ends when dropped.
pub(super) struct Proxy {
    child: Child,
    /// Where visitors come in, and where over TLS.
    pub(super) plain: SocketAddr,
    /// See there.
    pub(super) tls: SocketAddr,
}

impl Kind {
    /// All of them; the second is what the others are compared with.
    pub(super) const ALL: [Self; 4] = [Self::Deis, Self::Nginx, Self::Haproxy, Self::Caddy];

    /// As in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deis => "deis",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
        }
    }

    fn command(self, place: &Place) -> Command {
        match self {
            Self::Deis => deis::command(place),
            Self::Nginx => nginx::command(place),
            Self::Haproxy => haproxy::command(place),
            Self::Caddy => caddy::command(place),
        }
    }
}

impl Proxy {
    /// Starts `kind` and waits until it serves the last of the apps in `place`.
    pub(super) fn start(kind: Kind, place: &Place) -> Self {
        let log = place.log(kind.name());
        let mut command = kind.command(place);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("failed to start {}: {error}", kind.name()));
        let proxy = Self { child, plain: place.plain, tls: place.tls };
        let last = super::host(place.apps - 1);
        let until = Instant::now() + STARTS;
        while !proxy.answers(&last) {
            assert!(
                Instant::now() < until,
                "{} does not answer; it said: {}",
                kind.name(),
                place.said(kind.name())
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        proxy
    }

    /// Whether the app at `host` answers.
    pub(super) fn answers(&self, host: &str) -> bool {
        super::visitor::asks(self.plain, host)
    }

    /// Its processes.
    pub(super) fn processes(&self) -> Vec<u32> {
        family(self.child.id())
    }

    /// Tells its first process something.
    pub(super) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success(), "the router has ended");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.signal("TERM");
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until && self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process and those that it started, at any depth.
fn family(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(process).chain(children.flat_map(family)).collect()
}
