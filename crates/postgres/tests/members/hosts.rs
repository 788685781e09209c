//! Hosts that are loopback addresses: started, killed with everything on them, stopped.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use deis_runtime::identity::Authority;
use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::process::{CALLBACK, MEMBER, Orders};

/// How long anything may take on a machine that is busy with other things.
const TIMEOUT: Duration = Duration::from_secs(180);

/// Hosts with a store of their own.
pub(crate) struct Hosts {
    directory: tempfile::TempDir,
    /// `127.x.y`: no two tests at one time have the same.
    network: String,
    running: BTreeMap<String, Child>,
}

impl Hosts {
    /// None, and a line that says so, where they cannot be.
    pub(crate) fn new() -> Option<Self> {
        let wanted = std::env::var_os("DEIS_TEST_LONG").is_some();
        let programs = ["/usr/bin/etcd", "/usr/bin/patroni"];
        let installed = programs.iter().all(|program| Path::new(program).exists()) && Client::is_possible();
        if !wanted || !installed {
            eprintln!(
                "skipped: DEIS_TEST_LONG is not set, or etcd, patroni or postgresql-15 is not installed"
            );
            return None;
        }
        let directory = tempfile::Builder::new().prefix("deis-pg-").tempdir().unwrap();
        // The account of PostgreSQL has to pass.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let process = std::process::id();
        let network = format!("127.{}.{}", 1 + process / 250 % 250, 1 + process % 250);
        let hosts = Self { directory, network, running: BTreeMap::new() };
        hosts.prepare();
        Some(hosts)
    }

    fn prepare(&self) {
        let bundle = Authority::create().unwrap().issue("database").unwrap();
        fs::write(self.path("identity"), bundle.to_pem()).unwrap();
        fs::copy(std::env::current_exe().unwrap(), self.path("program")).unwrap();
        let program = self.path("program").display().to_string();
        let script = format!(
            "#!/bin/sh\n{CALLBACK}=\"$*\" exec {program} --exact process::callback_process --nocapture\n"
        );
        fs::write(self.path("deisd"), script).unwrap();
        fs::set_permissions(self.path("deisd"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the host keeps.
    pub(crate) fn kept_by(&self, host: &str) -> PathBuf {
        self.path(host)
    }

    /// Where all of them keep backups.
    pub(crate) fn store(&self) -> String {
        format!("file://{}", self.path("store").display())
    }

    pub(crate) fn address(&self, host: &str) -> String {
        format!("{}.{}", self.network, host.bytes().next().unwrap_or_default())
    }

    /// Starts `host` as one of `members`.
    pub(crate) fn start(&mut self, host: &str, members: &[&str]) {
        let orders = Orders {
            directory: self.path(host),
            host: host.to_owned(),
            members: members.iter().map(|name| format!("{name}={}", self.address(name))).collect(),
            store: self.store(),
            identity: self.path("identity"),
            program: self.path("deisd").display().to_string(),
            backup_every_seconds: 24 * 60 * 60,
        };
        let log =
            fs::File::options().create(true).append(true).open(self.path(&format!("{host}.log"))).unwrap();
        let mut command = Command::new(self.path("program"));
        command.args(["--exact", "process::member_process", "--nocapture"]);
        command.env(MEMBER, serde_json::to_string(&orders).unwrap()).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        self.running.insert(host.to_owned(), command.spawn().unwrap());
    }

    /// Starts all of `members`.
    pub(crate) fn start_all(&mut self, members: &[&str]) {
        for host in members {
            self.start(host, members);
        }
    }

    /// Kills everything on `host` at once, as when it loses power.
    pub(crate) fn kill(&mut self, host: &str) {
        let mut keeper = self.running.remove(host).expect("the host runs");
        let id = i32::try_from(keeper.id()).unwrap();
        let signal = |signal: Signal, ids: &[i32]| {
            for id in ids {
                let _ = kill_process(Pid::from_raw(*id).unwrap(), signal);
            }
        };
        // Stopped before any is killed, so that none notices the death of another.
        let mut known = Vec::new();
        loop {
            let found: Vec<i32> = [vec![id], self.processes(host, "")].concat();
            if found.iter().all(|id| known.contains(id)) {
                break;
            }
            signal(Signal::STOP, &found);
            known.extend(found);
        }
        signal(Signal::KILL, &known);
        keeper.wait().unwrap();
        self.until("everything on the host is dead", |hosts| {
            hosts.processes(host, "").is_empty().then_some(())
        });
    }

    /// Sends `signal` to what runs on `host` and has `word` in its command line.
    pub(crate) fn signal(&self, host: &str, word: &str, signal: Signal) {
        let found = self.processes(host, word);
        assert!(!found.is_empty(), "{word} runs on {host}");
        for id in found {
            let _ = kill_process(Pid::from_raw(id).unwrap(), signal);
        }
    }

    /// Ends the hosts in good order, all at once.
    pub(crate) fn stop(&mut self, hosts: &[&str]) {
        for host in hosts {
            let id = i32::try_from(self.running[*host].id()).unwrap();
            kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
        }
        for host in hosts {
            let mut keeper = self.running.remove(*host).expect("the host runs");
            let ended = self.until("the host ends", |_| keeper.try_wait().unwrap());
            assert!(ended.success(), "{host} ended with {ended}:\n{}", self.log(host));
            let left = self.processes(host, "");
            assert!(left.is_empty(), "{host} left {left:?}");
        }
    }

    /// The processes that work in the host's folder; those that wait for their parent have none.
    pub(crate) fn processes(&self, host: &str, word: &str) -> Vec<i32> {
        let folder = self.path(host);
        let ids =
            fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let works_there =
            |id: &i32| fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        let has_word = |id: &i32| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        };
        ids.filter(works_there).filter(has_word).collect()
    }

    /// Asks again and again until there is an answer.
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            if Instant::now() > deadline {
                let logs: Vec<String> = ["a", "b", "c"].iter().map(|host| self.log(host)).collect();
                panic!("waited in vain until {what}:\n{}", logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The end of what `host` said.
    fn log(&self, host: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{host}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("== {host}\n{}", lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let hosts: Vec<String> = self.running.keys().cloned().collect();
        for host in hosts {
            self.kill(&host);
        }
    }
}
