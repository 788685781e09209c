//! A Docker Engine of a test's own, to be stopped, killed and started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{Output, run};
use crate::engine::docker;
use crate::web_image;

/// How long an engine may take to start or to end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The engine's default bridge. Tests with an engine of their own run one at a time.
const BRIDGE: &str = "deis-test-own";

/// An engine beside the machine's own. Dropped, it is gone with everything in it.
pub struct PrivateEngine {
    directory: tempfile::TempDir,
    process: Option<Child>,
}

impl PrivateEngine {
    /// Starts an engine that holds nothing.
    pub fn start() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("deis-engine-")
            .tempdir()
            .expect("a temporary directory can be made");
        ip(&["link", "add", BRIDGE, "type", "bridge"]);
        ip(&["address", "add", "10.214.0.1/24", "dev", BRIDGE]);
        ip(&["link", "set", BRIDGE, "up"]);
        let mut engine = Self { directory, process: None };
        engine.run();
        engine
    }

    /// Starts it again, and waits until it answers.
    pub fn run(&mut self) {
        assert!(self.answers_in_time(), "the engine did not start:\n{}", self.log());
    }

    fn answers_in_time(&mut self) -> bool {
        self.process = Some(self.spawn());
        let deadline = Instant::now() + TIMEOUT;
        while self.docker(&["version"]).code != 0 {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }

    fn spawn(&self) -> Child {
        let path = |name: &str| self.directory.path().join(name).display().to_string();
        let log = std::fs::File::options().create(true).append(true).open(path("log"));
        let log = log.expect("a log can be made");
        let mut command = Command::new("dockerd");
        command.args(["--host", &self.host(), "--data-root", &path("data"), "--exec-root", &path("run")]);
        command.args(["--pidfile", &path("pid"), "--default-address-pool", "base=10.213.0.0/16,size=24"]);
        // Its own rules would disturb the machine's engine; visitors reach containers without them. A bridge it must
        // have: an engine that is told to do without removes the machine's `docker0`.
        command.args(["--bridge", BRIDGE, "--iptables=false", "--ip6tables=false", "--ip-masq=false"]);
        command.args(["--shutdown-timeout", "5"]).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        command.spawn().expect("dockerd is installed")
    }

    /// Stops it in good order, and with it every container.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        run(Command::new("kill").arg(process.id().to_string()), Duration::from_secs(5));
        let deadline = Instant::now() + TIMEOUT;
        while process.try_wait().expect("a child can be waited for").is_none() {
            if Instant::now() >= deadline {
                let _ = process.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`: its containers run on.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the engine runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
        // Its containerd dies with it. Where nobody reaps orphans, the engine would take the dead one for alive.
        let _ = std::fs::remove_file(self.directory.path().join("run/containerd/containerd.pid"));
    }

    /// What `DEIS_SCHEDULER` is for this engine.
    pub fn url(&self) -> String {
        format!("docker://{}", self.socket().display())
    }

    /// Runs the engine's own client on it.
    pub fn docker(&self, arguments: &[&str]) -> Output {
        docker(Some(&self.host()), arguments)
    }

    /// Makes the image `name`: a web server that answers every path it has with `text`.
    pub fn import(&self, name: &str, text: &str) {
        let arguments = web_image::import(self.directory.path(), name, text);
        self.docker(&arguments.each_ref().map(String::as_str)).succeeded();
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PrivateEngine {
    fn drop(&mut self) {
        // Only a running engine takes back all that it made.
        if self.process.is_some() || self.answers_in_time() {
            self.empty();
        }
        self.stop();
        // What a killed or failing engine left: processes first, then what they hold.
        let directory = self.directory.path();
        for pid in processes_of(directory) {
            run(Command::new("kill").args(["-KILL", &pid]), TIMEOUT);
        }
        for mount in mounts_below(directory) {
            run(Command::new("umount").args(["--lazy", &mount]), TIMEOUT);
        }
        ip(&["link", "delete", BRIDGE]);
    }
}

impl PrivateEngine {
    fn empty(&self) {
        let listed = self.docker(&["ps", "--all", "--quiet"]).stdout;
        let ids: Vec<&str> = listed.split_whitespace().collect();
        if !ids.is_empty() {
            self.docker(&[&["rm", "--force", "--volumes"], &ids[..]].concat());
        }
        self.docker(&["network", "prune", "--force"]);
    }
}

/// Runs `ip`. What is there already, or gone already, is as it should be.
fn ip(arguments: &[&str]) {
    run(Command::new("ip").args(arguments), TIMEOUT);
}

/// Ids of the processes started for `directory`, and of their children: a shim names it, its container does not.
fn processes_of(directory: &Path) -> Vec<String> {
    let directory = directory.display().to_string();
    let read =
        |pid: &str, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pids: Vec<String> = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect();
    let own: Vec<String> =
        pids.into_iter().filter(|pid| read(pid, "cmdline").contains(&format!("{directory}/"))).collect();
    let children = own.iter().map(|pid| read(pid, &format!("task/{pid}/children")));
    let children: Vec<String> =
        children.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    own.into_iter().chain(children).collect()
}

/// Mount points below `directory`, the innermost first.
fn mounts_below(directory: &Path) -> Vec<String> {
    let prefix = format!("{}/", directory.display());
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split_whitespace().nth(1));
    let mut below: Vec<String> =
        points.filter(|point| point.starts_with(&prefix)).map(str::to_owned).collect();
    below.reverse();
    below
}
