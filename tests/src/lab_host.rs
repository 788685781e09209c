//! One host of a lab.

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::command::{Output, run};
use crate::{lab, web_image};

/// How long a command on a host may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A host: its own name, address, processes, files and engine.
#[derive(Clone, Debug)]
pub struct Host {
    lab: Arc<str>,
    name: Arc<str>,
    pub(crate) address: IpAddr,
}

impl Host {
    pub(crate) fn new(lab: &Arc<str>, name: &str) -> Self {
        Self { lab: Arc::clone(lab), name: name.into(), address: Ipv4Addr::UNSPECIFIED.into() }
    }

    /// What it calls itself, and what others of its lab call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where others of its lab, and this machine, reach it.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// `address:port`.
    pub fn socket(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address, port)
    }

    /// Runs a command there: the program, then its arguments.
    pub fn run(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        run(&mut self.command(words), TIMEOUT)
    }

    /// A command there, to be started by the caller. It ends when the one who waits for it is killed.
    pub fn command(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = lab::command(&self.lab, &["exec", &self.name]);
        command.args(words);
        command
    }

    /// Runs its engine's own client.
    pub fn docker(&self, arguments: &[&str]) -> Output {
        self.run(["docker"].iter().chain(arguments))
    }

    /// Copies a file of this machine to `path` there, with its permissions.
    pub fn copy(&self, file: &Path, path: &str) {
        let words: [&OsStr; 5] = [
            "install".as_ref(),
            "-D".as_ref(),
            "--preserve-timestamps".as_ref(),
            file.as_ref(),
            path.as_ref(),
        ];
        self.run(words).succeeded();
    }

    /// Writes a file there that only root reads.
    pub fn write(&self, path: &str, text: &str) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        std::fs::write(file.path(), text).expect("a temporary file can be written");
        self.copy(file.path(), path);
        self.run(["chmod", "600", path]).succeeded();
    }

    /// Reads a file of it.
    pub fn read(&self, path: &str) -> String {
        self.run(["cat", path]).succeeded().stdout
    }

    /// Makes the image `name` on its engine: a web server that answers with `text`.
    pub fn import(&self, name: &str, text: &str) {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        self.docker(&web_image::import(directory.path(), name, text).each_ref().map(String::as_str))
            .succeeded();
    }

    /// Loads an archive of images, as `docker save` writes it.
    pub fn load_images(&self, archive: &Path) {
        self.docker(&["load", "--quiet", "--input", &archive.display().to_string()]).succeeded();
    }

    /// Power loss: everything on it ends at once, and nobody hears of it.
    pub fn kill(&self) {
        self.script(&["kill", &self.name]);
    }

    /// Boots it with what is on its disk; waits until its engine answers.
    pub fn start(&self) {
        self.script(&["start", &self.name]);
    }

    /// Whether it was not killed.
    pub fn has_power(&self) -> bool {
        let process = std::fs::read_to_string(self.directory().join("pid")).unwrap_or_default();
        process.split_whitespace().next().is_some_and(|pid| Path::new("/proc").join(pid).exists())
    }

    /// Pulls its network cable.
    pub fn cut(&self) {
        self.script(&["cut", &self.name]);
    }

    /// Plugs its network cable in again.
    pub fn heal(&self) {
        self.script(&["heal", &self.name]);
    }

    /// Stops its engine in good order, and with it every container.
    pub fn stop_engine(&self) {
        self.script(&["engine", &self.name, "stop"]);
    }

    /// Starts its engine again; waits until it answers.
    pub fn start_engine(&self) {
        self.script(&["engine", &self.name, "start"]);
    }

    /// `kill -9` for its engine, which starts again by itself.
    pub fn kill_engine(&self) {
        self.script(&["engine", &self.name, "kill"]);
    }

    fn script(&self, arguments: &[&str]) {
        lab::script(&self.lab, arguments);
    }

    /// What its engine has logged.
    pub fn engine_log(&self) -> String {
        std::fs::read_to_string(self.directory().join("engine.log")).unwrap_or_default()
    }

    fn directory(&self) -> PathBuf {
        lab::directory_of(&self.lab, &self.name)
    }

    /// Waits until `holds`, at most for `timeout`; panics with `what` otherwise.
    #[track_caller]
    pub fn eventually(&self, what: &str, timeout: Duration, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + timeout;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not within {timeout:?} on {}: {what}", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
