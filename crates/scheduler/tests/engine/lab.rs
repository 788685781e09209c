//! Hosts of a test's own on this machine: a network namespace, a host name and a Docker Engine each, on one bridge.
//!
//! Dropped, all of it is gone. What a test left that was killed goes when the next begins.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long an engine may take to start or to end.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How names of all that is made begin; the process that made it follows.
const PREFIX: &str = "dsw";

/// Where namespaces have their names.
const NAMESPACES: &str = "/var/run/netns";

/// Hosts that reach each other as 10.231.0.1, 10.231.0.2, …
pub(crate) struct Lab {
    name: String,
    directory: PathBuf,
    hosts: usize,
    engines: Mutex<Vec<Child>>,
}

impl Lab {
    /// Starts `hosts` engines that hold nothing; none, and a line that says why, where that is impossible.
    pub(crate) fn start(hosts: usize) -> Option<Self> {
        let gate = if hosts > 1 { "DEIS_TEST_LAB" } else { "DEIS_TEST_DOCKER_URL" };
        if std::env::var_os(gate).is_none() {
            eprintln!("skipped: {gate} is not set");
            return None;
        }
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: engines of a test's own need root");
            return None;
        }
        remove_stale();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(&name);
        let lab = Self { name, directory, hosts, engines: Mutex::default() };
        lab.build();
        Some(lab)
    }

    fn build(&self) {
        let bridge = self.bridge();
        must("ip", &["link", "add", &bridge, "type", "bridge"]);
        must("ip", &["link", "set", &bridge, "up"]);
        // An engine on the machine itself has bridged packets dropped.
        must("iptables", &["--insert", "FORWARD", "-i", &bridge, "-o", &bridge, "-j", "ACCEPT"]);
        for host in 0..self.hosts {
            self.connect(host);
            std::fs::create_dir_all(self.path(host, "")).expect("a temporary directory can be made");
            self.spawn(host);
        }
        for host in 0..self.hosts {
            self.await_engine(host);
        }
    }

    fn connect(&self, host: usize) {
        let (namespace, outside) = (self.host_name(host), self.outside(host));
        must("ip", &["netns", "add", &namespace]);
        let inside = ["peer", "name", "eth0", "netns", &namespace];
        must("ip", &[&["link", "add", &outside, "type", "veth"], &inside[..]].concat());
        must("ip", &["link", "set", &outside, "master", &self.bridge(), "up"]);
        let address = format!("{}/24", address(host));
        must("ip", &["-n", &namespace, "address", "add", &address, "dev", "eth0"]);
        must("ip", &["-n", &namespace, "link", "set", "eth0", "up"]);
        must("ip", &["-n", &namespace, "link", "set", "lo", "up"]);
    }

    fn spawn(&self, host: usize) {
        let path = |file: &str| self.path(host, file).display().to_string();
        let log = File::options().create(true).append(true).open(path("log")).expect("a log can be made");
        let namespace = format!("--net={NAMESPACES}/{}", self.host_name(host));
        // Not by `ip netns exec`, which would hide the control groups.
        let start = "hostname \"$1\" && shift && exec dockerd \"$@\"";
        let mut command = Command::new("nsenter");
        command.args([&namespace, "unshare", "--uts", "--mount", "sh", "-c", start, "sh"]);
        command.args([&self.host_name(host), "--host", &self.url(host).replace("swarm", "unix")]);
        command.args(["--data-root", &path("data"), "--exec-root", &path("run"), "--pidfile", &path("pid")]);
        command.args(["--cgroup-parent", &format!("/{}", self.host_name(host)), "--shutdown-timeout", "5"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let engine = command.spawn().expect("nsenter is installed");
        self.engines.lock().expect("nobody panics with it").push(engine);
    }

    fn await_engine(&self, host: usize) {
        let deadline = Instant::now() + TIMEOUT;
        let socket = self.url(host).replace("swarm", "unix");
        while !succeeds("docker", &["--host", &socket, "version"]) {
            let log = || std::fs::read_to_string(self.path(host, "log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the engine did not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The name of a host: its namespace's, too.
    pub(crate) fn host_name(&self, host: usize) -> String {
        format!("{}-{}", self.name, host + 1)
    }

    /// Where the scheduler finds the host's engine.
    pub(crate) fn url(&self, host: usize) -> String {
        format!("swarm://{}", self.path(host, "docker.sock").display())
    }

    /// Takes the power from a host.
    pub(crate) fn kill(&self, host: usize) {
        kill_all(&self.path(host, ""));
        let _ = std::fs::remove_file(self.path(host, "pid"));
        let _ = std::fs::remove_file(self.path(host, "run/containerd/containerd.pid"));
    }

    /// Gives it back.
    pub(crate) fn revive(&self, host: usize) {
        self.spawn(host);
        self.await_engine(host);
    }

    fn path(&self, host: usize, file: &str) -> PathBuf {
        self.directory.join(self.host_name(host)).join(file)
    }

    fn bridge(&self) -> String {
        format!("{}b", self.name)
    }

    fn outside(&self, host: usize) -> String {
        format!("{}v{host}", self.name)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove(&self.name);
        for engine in self.engines.lock().iter_mut().flat_map(|engines| engines.iter_mut()) {
            let _ = engine.wait();
        }
    }
}

/// Where the other hosts reach a host.
pub(crate) fn address(host: usize) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::new(10, 231, 0, u8::try_from(host + 1).expect("few hosts"))
}

/// Removes what processes left that are gone.
fn remove_stale() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).map(|(pid, _)| pid.to_owned());
        if pid.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(&pid).exists()) {
            remove(&name);
        }
    }
}

/// Removes the lab of this name: processes first, then what they hold.
fn remove(name: &str) {
    let directory = std::env::temp_dir().join(name);
    kill_all(&directory);
    let _ = std::fs::remove_dir_all(&directory);
    let bridge = format!("{name}b");
    succeeds("iptables", &["--delete", "FORWARD", "-i", &bridge, "-o", &bridge, "-j", "ACCEPT"]);
    for entry in std::fs::read_dir(NAMESPACES).into_iter().flatten().flatten() {
        let namespace = entry.file_name().to_string_lossy().into_owned();
        if namespace.starts_with(&format!("{name}-")) {
            succeeds("ip", &["netns", "delete", &namespace]);
            succeeds(
                "find",
                &["/sys/fs/cgroup", "-depth", "-path", &format!("*/{namespace}*"), "-type", "d", "-delete"],
            );
        }
    }
    succeeds("ip", &["link", "delete", &bridge]);
}

/// Ends every process started for `directory`, with its children, and unmounts what they mounted.
fn kill_all(directory: &Path) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let pids = processes_of(directory);
        if pids.is_empty() || Instant::now() >= deadline {
            break;
        }
        for pid in pids {
            succeeds("kill", &["-KILL", &pid]);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let prefix = format!("{}/", directory.display());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split_whitespace().nth(1));
    let points: Vec<_> = points.filter(|point| point.starts_with(&prefix)).collect();
    for point in points.iter().rev() {
        succeeds("umount", &["--lazy", point]);
    }
}

/// Ids of the processes whose command line names `directory`, and of their children; none of those that only wait to be
/// reaped.
fn processes_of(directory: &Path) -> Vec<String> {
    let needle = format!("{}/", directory.display().to_string().trim_end_matches('/'));
    let read =
        |pid: &str, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let own = std::process::id().to_string();
    let pids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && *name != own);
    let named: Vec<String> = pids.filter(|pid| read(pid, "cmdline").contains(&needle)).collect();
    let children = named.iter().map(|pid| read(pid, &format!("task/{pid}/children")));
    let children: Vec<String> =
        children.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let alive = |pid: &String| !read(pid, "cmdline").is_empty();
    named.into_iter().chain(children).filter(alive).collect()
}

fn must(program: &str, arguments: &[&str]) {
    assert!(succeeds(program, arguments), "{program} {arguments:?} failed");
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
