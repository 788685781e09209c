//! Asking the database: as the platform does, and as the superuser on a host.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::hosts::Hosts;
use crate::process::{PORTS, passwords};

/// Where Debian keeps the program.
const PSQL: &str = "/usr/lib/postgresql/15/bin/psql";

/// Somebody who asks with `psql`.
pub(crate) struct Client {
    place: String,
}

impl Client {
    /// Whether there can be any.
    pub(crate) fn is_possible() -> bool {
        Path::new(PSQL).exists()
    }

    pub(crate) fn run(&self, sql: &str) -> Output {
        let mut command = Command::new("timeout");
        command.args(["20", PSQL, "--no-psqlrc", "-Atq", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.place]);
        command.stdin(Stdio::null()).output().unwrap()
    }
}

impl Hosts {
    /// The platform, which asks any of `hosts` that takes writes.
    pub(crate) fn client(&self, hosts: &[&str]) -> Client {
        let addresses: Vec<String> = hosts.iter().map(|host| self.address(host)).collect();
        let place = format!(
            "host={} port={} user=deis dbname=deis password={} target_session_attrs=read-write connect_timeout=2 \
             sslmode=verify-ca sslrootcert={r}/roots sslcert={r}/certificate sslkey={r}/key",
            addresses.join(","),
            vec![PORTS.postgres.to_string(); hosts.len()].join(","),
            passwords().platform,
            r = self.certificates().display(),
        );
        Client { place }
    }

    /// Runs `sql` as the superuser, who gets in on the host itself alone.
    pub(crate) fn sql_on(&self, host: &str, sql: &str) -> Option<String> {
        let (port, password) = (PORTS.postgres, passwords().superuser);
        let socket = self.path(host).join("run");
        let place = format!(
            "host={} port={port} user=postgres dbname=postgres password={password}",
            socket.display()
        );
        let output = Client { place }.run(sql);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Copies of a member's certificates: a key must belong to whoever uses it.
    fn certificates(&self) -> PathBuf {
        let copies = self.path("certificates");
        if !copies.join("key").exists() {
            fs::create_dir_all(&copies).unwrap();
            let settings = self.path("a/settings");
            self.until("a member has certificates", |_| settings.join("server.crt").exists().then_some(()));
            for (from, to) in [("roots.crt", "roots"), ("member.crt", "certificate"), ("member.key", "key")] {
                let content = fs::read(settings.join(from)).unwrap();
                fs::write(copies.join(to), content).unwrap();
                fs::set_permissions(copies.join(to), fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        copies
    }

    /// The answer to `sql`, asked until somebody gives one.
    pub(crate) fn answer(&self, hosts: &[&str], sql: &str) -> String {
        self.until(sql, |found| {
            let output = found.client(hosts).run(sql);
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        })
    }

    /// The host that takes writes.
    pub(crate) fn primary(&self, hosts: &[&str]) -> String {
        let address = self.answer(hosts, "SELECT host(inet_server_addr())");
        hosts.iter().find(|host| self.address(host) == address).expect("it is one of the hosts").to_string()
    }

    /// Waits until `count` hosts copy the primary, one of them before writes are acknowledged.
    pub(crate) fn await_copies(&self, hosts: &[&str], count: usize) {
        let sql = "SELECT count(*), count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication
                   WHERE application_name IN ('a', 'b', 'c') AND state = 'streaming'";
        let expected = Some(format!("{count}|1"));
        self.until("the hosts are copied", |found| {
            hosts.iter().any(|host| found.sql_on(host, sql) == expected).then_some(())
        });
    }
}
