//! A platform on this machine, beside any other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{Output, run};
use crate::ports::free_address;
use crate::program::{binary, target};
use crate::seat::Seat;
use crate::site::Site;
use crate::user::User;
use crate::{Load, engine};

/// How long roles may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a process that was told to end may take.
const END_TIMEOUT: Duration = Duration::from_secs(45);

/// How a platform differs from the default.
#[derive(Default)]
pub struct Options {
    /// Settings besides those that keep it apart from others, as `DEIS_*` variables.
    pub settings: Vec<(&'static str, String)>,
    /// Whether the router is a process of its own.
    pub router_apart: bool,
    /// Whether every role is a process of its own.
    pub roles_apart: bool,
}

/// One process of a platform.
struct Process {
    roles: &'static [&'static str],
    child: Child,
}

/// How roles are spread over processes: all in one, the router alone, each alone.
const TOGETHER: &[&[&str]] = &[&[]];
const ROUTER_APART: &[&[&str]] =
    &[&["router"], &["controller", "builder", "registry", "logger", "publisher", "logspout"]];
const ROLES_APART: &[&[&str]] =
    &[&["router"], &["logger"], &["registry"], &["controller"], &["builder"], &["publisher"], &["logspout"]];

/// A running platform. Dropped, it is stopped and everything of it is removed.
pub struct Platform {
    directory: tempfile::TempDir,
    variables: BTreeMap<String, String>,
    options: Options,
    processes: Vec<Process>,
    /// Where visitors go.
    pub http: SocketAddr,
    /// Where git goes.
    pub git: SocketAddr,
    /// Where the API is without the router.
    pub controller: SocketAddr,
    registry: SocketAddr,
    network: String,
}

impl Platform {
    /// A platform with default settings.
    pub fn start() -> Self {
        Self::start_with(Options::default())
    }

    /// A platform that differs from the default by `options`.
    pub fn start_with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let directory = tempfile::Builder::new()
            .prefix("deis-test-")
            .tempdir()
            .expect("a temporary directory can be made");
        let names = ["HTTP", "GIT", "HEALTH", "CONTROLLER", "REGISTRY", "LOGGER", "BUILDER", "HTTPS"];
        let addresses: Vec<SocketAddr> = names.iter().map(|_| free_address()).collect();
        let network = format!("deis-test-{}", addresses[0].port());
        let mut variables: BTreeMap<String, String> = names
            .iter()
            .zip(&addresses)
            .map(|(name, address)| (format!("DEIS_{name}"), address.to_string()))
            .collect();
        variables.insert("DEIS_DATA_DIR".to_owned(), directory.path().join("data").display().to_string());
        variables.insert("DEIS_NETWORK".to_owned(), network.clone());
        variables.insert("DEIS_STORE".to_owned(), format!("file://{}", shared_store().display()));
        variables.extend(options.settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let mut platform = Self {
            http: addresses[0],
            git: addresses[1],
            controller: addresses[3],
            registry: addresses[4],
            network,
            directory,
            variables,
            options,
            processes: Vec::new(),
        };
        platform.run();
        platform
    }

    /// Starts its processes and waits until every role answers.
    pub fn run(&mut self) {
        self.run_without_waiting();
        self.await_up();
    }

    /// Starts its processes and waits for nothing.
    pub fn run_without_waiting(&mut self) {
        // A router that still runs has never been down.
        let kept = self.processes.len();
        for roles in &self.layout()[kept..] {
            self.start_process(roles);
        }
    }

    fn layout(&self) -> &'static [&'static [&'static str]] {
        match (self.options.roles_apart, self.options.router_apart) {
            (true, _) => ROLES_APART,
            (false, true) => ROUTER_APART,
            (false, false) => TOGETHER,
        }
    }

    fn start_process(&mut self, roles: &'static [&'static str]) {
        let child = self.spawn(roles);
        self.processes.push(Process { roles, child });
    }

    /// Starts another process for `role`, which runs in a process of its own. Waits for nothing.
    pub fn start_role(&mut self, role: &str) {
        let roles = ROLES_APART.iter().find(|roles| **roles == [role]);
        self.start_process(roles.expect("the role exists"));
    }

    /// `kill -9` for the oldest process that runs `role` alone.
    pub fn kill_role(&mut self, role: &str) {
        let mut process = self.take_role(role);
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
    }

    /// Tells the oldest process that runs `role` alone to end, and waits until it has.
    pub fn end_role(&mut self, role: &str) {
        let mut process = self.take_role(role);
        run(Command::new("kill").arg(process.id().to_string()), Duration::from_secs(5)).succeeded();
        let deadline = Instant::now() + END_TIMEOUT;
        while process.try_wait().expect("a child can be waited for").is_none() {
            assert!(
                Instant::now() < deadline,
                "the {role} did not end within {END_TIMEOUT:?}\n{}",
                self.journal()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn take_role(&mut self, role: &str) -> Child {
        let found = self.processes.iter().position(|process| process.roles == [role]);
        self.processes.remove(found.expect("the role runs in a process of its own")).child
    }

    /// Runs `deisd` as a second one beside the platform's own, with other settings, until it ends by itself.
    pub fn run_another(&self, roles: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = Command::new(binary("deisd"));
        command.arg("run").args(roles).envs(&self.variables).envs(settings.iter().copied());
        run(&mut command, Duration::from_secs(20))
    }

    fn spawn(&self, roles: &[&str]) -> Child {
        let log =
            std::fs::File::options().create(true).append(true).open(self.log()).expect("a log can be made");
        let mut command = Command::new(binary("deisd"));
        command.arg("run").args(roles).envs(&self.variables).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log).process_group(0);
        command.spawn().expect("deisd starts")
    }

    /// Waits until every role answers and none has anything amiss.
    pub fn await_up(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        // With roles named, the machine is not looked at: a test may have made its disk small.
        let status: Vec<&str> = ["status"].into_iter().chain(ROLES_APART.concat()).collect();
        while Instant::now() < deadline {
            if self.deisctl(&status).code == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the platform did not come up:\n{}\n{}", self.deisctl(&["status"]).all(), self.journal());
    }

    /// `kill -9` for the last process started: everything, or everything but the router.
    pub fn kill(&mut self) {
        let mut process = self.processes.pop().expect("the platform runs").child;
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
    }

    /// Runs `deisctl`.
    pub fn deisctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("deisctl"));
        command.args(arguments).envs(&self.variables);
        run(&mut command, Duration::from_secs(60))
    }

    /// The registry, as images are named after it.
    pub fn registry(&self) -> SocketAddr {
        self.registry
    }

    /// Process ids of its processes.
    pub fn process_ids(&self) -> Vec<u32> {
        self.processes.iter().map(|process| process.child.id()).collect()
    }

    /// The process id of the process started last.
    pub fn newest_process(&self) -> u32 {
        self.processes.last().expect("the platform runs").child.id()
    }

    /// The most memory that the process started last has held at a time, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.newest_process()));
        let status = status.expect("a running process has a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.expect("the kernel tells how much memory a process has held") * 1024
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        PathBuf::from(&self.variables["DEIS_DATA_DIR"])
    }

    /// How the engine's own client is told which engine it is; none for the usual one.
    fn engine_host(&self) -> Option<String> {
        let path = self.variables.get("DEIS_SCHEDULER")?.strip_prefix("docker://")?;
        (!path.is_empty()).then(|| format!("unix://{path}"))
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("deisd.log")
    }

    /// The URL of the API as users know it.
    pub fn url(&self) -> String {
        format!("http://deis.localhost:{}", self.http.port())
    }

    /// What visitors who trust `root`, PEM, get of `host` over HTTPS; the error if that fails.
    pub fn get_over_tls(&self, host: &str, root: &str) -> Result<String, String> {
        let https = self.variables["DEIS_HTTPS"].parse::<SocketAddr>().expect("it was an address");
        let root = reqwest::Certificate::from_pem(root.as_bytes()).map_err(|error| error.to_string())?;
        let client = reqwest::blocking::Client::builder().no_proxy().tls_certs_only([root]);
        let client = client.resolve(host, https).timeout(Duration::from_secs(30)).build();
        let asked = client.and_then(|client| client.get(format!("https://{host}:{}/", https.port())).send());
        asked.and_then(reqwest::blocking::Response::text).map_err(|error| format!("{error:?}"))
    }

    /// A steady load on `app`.
    pub fn load(&self, app: &str) -> Load {
        Load::start(self.http, &format!("{app}.localhost"), 8)
    }

    /// The name within the platform of a container on the engine.
    fn short_name(&self, engine_name: &str) -> String {
        let prefix = format!("{}.", self.network);
        engine_name.strip_prefix(&prefix).unwrap_or(engine_name).to_owned()
    }

    /// The name on the engine of one of the platform's containers.
    pub fn engine_name(&self, name: &str) -> String {
        format!("{}.{name}", self.network)
    }

    /// Names of the containers that build for the platform.
    pub fn builds(&self) -> Vec<String> {
        engine::containers(self.engine_host().as_deref(), &format!("io.deis.build={}", self.network))
    }
}

impl Site for Platform {
    fn domain(&self) -> &str {
        "localhost"
    }

    fn router(&self) -> SocketAddr {
        self.http
    }

    fn user(&self, name: &str) -> User {
        let home = self.directory.path().join("home").join(name);
        let user = User::new(name, home, Seat::Here, self.git.port());
        user.register(&self.url());
        user
    }

    fn containers(&self) -> Vec<String> {
        let names =
            engine::containers(self.engine_host().as_deref(), &format!("io.deis.platform={}", self.network));
        let mut names: Vec<String> = names.iter().map(|name| self.short_name(name)).collect();
        names.sort();
        names
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the platform's log:\n{}", self.journal());
        }
        for process in &mut self.processes {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
        engine::clean(
            self.engine_host().as_deref(),
            &format!("io.deis.platform={}", self.network),
            &self.network,
            &self.registry.to_string(),
        );
    }
}

/// Blobs of all tests' platforms: the stack's image is large, and is put into a registry once.
fn shared_store() -> PathBuf {
    target().join("tmp").join("test-store")
}
