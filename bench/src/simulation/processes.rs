//! The processes that are measured: a controller and its routers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use deis_model::{AppId, ContainerName};
use deis_tests::free_address;

use super::hosts::Hosts;

/// A controller on an engine that pretends.
pub(super) struct LeadingController {
    child: Child,
    orders: ChildStdin,
    /// Where it serves.
    pub(super) address: SocketAddr,
}

/// Routers, each a `deisd` of its own.
pub(super) struct Routers {
    routers: Vec<Router>,
}

struct Router {
    child: Child,
    http: SocketAddr,
    health: SocketAddr,
    table: PathBuf,
}

impl LeadingController {
    /// Starts it, and returns once everything runs on its engine. What does is told to `hosts`, also later.
    pub(super) fn start(directory: &Path, hosts: &Arc<Hosts>) -> Self {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
        command.arg("simulated-controller").arg(directory).arg(address.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log(directory, "controller"));
        let mut child = command.spawn().expect("this program can be started once more");
        let orders = child.stdin.take().expect("it is piped");
        let mut told = BufReader::new(child.stdout.take().expect("it is piped"));
        follow(&mut told, hosts);
        let hosts = Arc::clone(hosts);
        std::thread::spawn(move || follow(&mut told, &hosts));
        Self { child, orders, address }
    }

    /// Has it serve from now on.
    pub(super) fn serve(&mut self) {
        self.orders.write_all(b"\n").expect("it waits for orders");
    }

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

/// Notes what is told until all is, or nothing more comes.
fn follow(told: &mut BufReader<ChildStdout>, hosts: &Hosts) {
    for line in told.lines() {
        let line = line.expect("the controller writes lines");
        if line == "-" {
            return;
        }
        let mut words = line.split(' ');
        let app = words.next().and_then(|word| AppId::parse(word).ok()).expect("the app comes first");
        let container = |word: &str| {
            let (name, id) = word.split_once('=').expect("name and id");
            (ContainerName::parse(name).expect("a name"), id.to_owned())
        };
        hosts.note(&app, words.map(container).collect::<BTreeMap<_, _>>());
    }
}

impl Routers {
    /// Starts `count` of them.
    pub(super) fn start(directory: &Path, controller: SocketAddr, count: usize) -> Self {
        let start = |number| Router::start(directory, controller, &format!("router-{number}"));
        Self { routers: (1..=count).map(start).collect() }
    }

    /// Where visitors go.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.routers.iter().map(|router| router.http).collect()
    }

    /// Their processes.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.routers.iter().map(|router| router.child.id()).collect()
    }

    /// How many apps each knows.
    pub(super) fn app_counts(&self) -> Vec<usize> {
        let counts = self.routers.iter().map(|router| router.gauge("deis_router_apps "));
        counts.map(|count| count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0)).collect()
    }

    /// By which generation of routes each serves.
    pub(super) fn generations(&self) -> Vec<u64> {
        self.routers.iter().filter_map(|router| router.gauge("deis_router_table_generation ")).collect()
    }

    /// The size of the table as one of them keeps it.
    pub(super) fn table_bytes(&self) -> u64 {
        let kept = self.routers.first().and_then(|router| router.table.metadata().ok());
        kept.map_or(0, |kept| kept.len())
    }
}

impl Router {
    fn start(directory: &Path, controller: SocketAddr, name: &str) -> Self {
        let [http, https, git, health] = std::array::from_fn(|_| free_address());
        let data = directory.join(name);
        let mut command = Command::new(deisd());
        command.args(["run", "router"]).env("DEIS_HOST", name).env("DEIS_DATA_DIR", &data);
        command.env("DEIS_SECRETS_DIR", directory.join("secrets"));
        let addresses =
            [("HTTP", http), ("HTTPS", https), ("GIT", git), ("HEALTH", health), ("CONTROLLER", controller)];
        command.envs(addresses.map(|(key, address)| (format!("DEIS_{key}"), address.to_string())));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log(directory, name));
        let child = command.spawn().expect("deisd can be started");
        Self { child, http, health, table: data.join("router/table.json") }
    }

    fn gauge(&self, name: &str) -> Option<u64> {
        let metrics = reqwest::blocking::get(format!("http://{}/metrics", self.health)).ok()?.text().ok()?;
        metrics.lines().find_map(|line| line.strip_prefix(name))?.parse().ok()
    }
}

impl Drop for LeadingController {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It may have ended already.
    let _ = child.kill();
    let _ = child.wait();
}

fn deisd() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own path");
    own.with_file_name("deisd")
}

fn log(directory: &Path, name: &str) -> File {
    File::create(directory.join(format!("{name}.log"))).expect("a file can be made")
}
