//! Two routers as processes of their own, which are killed and replaced; and the controller is lost.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

use deis_api::internal::RoutesRequest;
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use crate::support::{App, Controller, Crowd, until};

/// How many requests are answered between one event and the next at least.
const REQUESTS: usize = 200;

/// Where one router lives; who lives there may change.
struct Place {
    addresses: [SocketAddr; 3],
    /// Keep others from being given the same ports.
    _reserved: Vec<Socket>,
    state: tempfile::TempDir,
    controller: SocketAddr,
}

/// A router; killed when dropped.
struct Process(Child);

impl Place {
    fn new(controller: SocketAddr) -> Self {
        let reserved: Vec<Socket> = (0..3).map(|_| reserve()).collect();
        let address = |socket: &Socket| socket.local_addr().ok().and_then(|address| address.as_socket());
        let addresses = [0, 1, 2].map(|number| address(&reserved[number]).expect("it is bound"));
        let state = tempfile::tempdir().expect("a directory");
        Self { addresses, _reserved: reserved, state, controller }
    }

    /// Starts a router, beside any other, and waits until it serves.
    async fn start(&self) -> Process {
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
    /// `kill -9`.
    fn kill(mut self) {
        self.0.kill().expect("a child can be killed");
        self.0.wait().expect("a child can be waited for");
    }

    /// Asks it to end and waits until it has.
    async fn end(mut self) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).expect("a child can be sent signals");
        until(|| self.0.try_wait().expect("a child can be waited for").is_some()).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visitors_outlive_a_killed_router_replaced_ones_and_the_controller() {
    let (controller, app) = (Controller::start().await, App::start("blog").await);
    let generation = controller.route("blog", 1, &[app.address()]);
    let (first, second) = (Place::new(controller.address()), Place::new(controller.address()));
    let (killed, replaced) = (first.start().await, second.start().await);
    let has_applied = |request: &&RoutesRequest| request.applied >= generation;
    let routers = || {
        let requests = controller.requests();
        requests.iter().filter(has_applied).map(|request| request.router.clone()).collect::<BTreeSet<_>>()
    };
    until(|| routers().len() == 2).await;
    // Those who know both routers try the other one; those who know one never try again.
    let mut patient = Crowd::start(&[first.addresses[0], second.addresses[0]]);
    let mut strict = Crowd::start(&[second.addresses[0]]);
    patient.come(REQUESTS).await;
    killed.kill();
    patient.come(REQUESTS).await;
    let next = second.start().await;
    strict.come(REQUESTS).await;
    replaced.end().await;
    strict.come(REQUESTS).await;
    controller.cut().await;
    strict.come(REQUESTS).await;
    let last = second.start().await;
    next.end().await;
    patient.come(REQUESTS).await;
    assert!(patient.end().await >= 3 * REQUESTS && strict.end().await >= 3 * REQUESTS);
    last.end().await;
}
