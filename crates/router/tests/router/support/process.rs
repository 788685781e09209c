//! Routers as processes of their own, which can be killed, replaced, and looked at from outside.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use super::until;

/// Where one router lives; who lives there may change.
pub(crate) struct Place {
    addresses: [SocketAddr; 3],
    /// Keep others from being given the same ports.
    _reserved: Vec<Socket>,
    state: tempfile::TempDir,
    controller: SocketAddr,
}

/// A router; killed when dropped.
pub(crate) struct Process(Child);

impl Place {
    pub(crate) fn new(controller: SocketAddr) -> Self {
        let reserved: Vec<Socket> = (0..3).map(|_| reserve()).collect();
        let address = |socket: &Socket| socket.local_addr().ok().and_then(|address| address.as_socket());
        let addresses = [0, 1, 2].map(|number| address(&reserved[number]).expect("it is bound"));
        let state = tempfile::tempdir().expect("a directory");
        Self { addresses, _reserved: reserved, state, controller }
    }

    /// Where visitors come in.
    pub(crate) fn http(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Starts a router, beside any other, and waits until it serves.
    pub(crate) async fn start(&self) -> Process {
        let before = self.desk();
        let mut command = Command::new(env!("CARGO_BIN_EXE_deis-test-router"));
        command.args(self.addresses.map(|address| address.to_string()));
        command.arg(self.controller.to_string()).arg(self.state.path());
        let process = Process(command.spawn().expect("it starts"));
        until(|| self.desk().is_some() && self.desk() != before).await;
        process
    }

    /// Which file the next router asks for the sockets at: it is there once a router lets visitors in.
    fn desk(&self) -> Option<u64> {
        std::fs::metadata(self.state.path().join("sockets")).ok().map(|found| found.ino())
    }
}

impl Process {
    /// `kill -9`; when it returns, nothing of it is left.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a child can be waited for");
    }

    /// Asks it to end and waits until it has.
    pub(crate) async fn end(mut self) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).expect("a child can be sent signals");
        until(|| self.0.try_wait().expect("a child can be waited for").is_some()).await;
    }

    /// The memory that it has, in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody else is given: bound, and not listened on.
fn reserve() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_port(true).expect("a socket can share its port");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port is free");
    socket
}
