//! What a member of the database needs to know.

mod member;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deis_store::ObjectStore;

use crate::error::DatabaseError;

pub use member::{Member, MemberError};

/// The longest directory: a socket's path below it has 107 bytes at most.
const DIRECTORY_LIMIT: usize = 80;

/// Settings of one member. No `Debug`: it holds passwords.
#[derive(Clone)]
pub struct Config {
    /// Where the database and what runs it keep their files. The account that PostgreSQL runs as must be able to reach
    /// it: no folder above it may be closed to others.
    pub directory: PathBuf,
    /// The name of this host: one of `members`.
    pub host: String,
    /// All hosts that have the database, this one among them: one, or three and more.
    pub members: Vec<Member>,
    /// Where each part listens, the same on every host.
    pub ports: Ports,
    /// Who may do what.
    pub passwords: Passwords,
    /// The file with the identity bundle of the role `database`; none is plain text, for loopback alone.
    pub identity: Option<PathBuf>,
    /// Where write-ahead log and base backups go.
    pub store: Arc<dyn ObjectStore>,
    /// How many base backups are made and kept.
    pub retention: Retention,
    /// The words that PostgreSQL calls this program with, to archive and to restore: absolute path first.
    pub program: Vec<String>,
    /// The account that PostgreSQL runs as if this process is root's; PostgreSQL refuses to be root.
    pub account: String,
}

impl Config {
    /// The defaults: the usual ports, the account `postgres`, daily backups, the running executable.
    pub fn new(
        directory: PathBuf,
        host: &str,
        members: Vec<Member>,
        passwords: Passwords,
        store: Arc<dyn ObjectStore>,
    ) -> Self {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("deisd"));
        Self {
            directory,
            host: host.to_owned(),
            members,
            ports: Ports::default(),
            passwords,
            identity: None,
            store,
            retention: Retention::default(),
            program: vec![program.to_string_lossy().into_owned()],
            account: "postgres".to_owned(),
        }
    }

    /// This host; [`Config::check`] has made sure that it is one of the members.
    pub(crate) fn this_member(&self) -> &Member {
        self.members.iter().find(|member| member.name == self.host).unwrap_or(&self.members[0])
    }

    /// The other hosts.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.name != self.host)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.identity.is_some() { "https" } else { "http" }
    }

    /// Refuses settings that contradict each other, or that would need quotes where they are used.
    pub(crate) fn check(&self) -> Result<(), DatabaseError> {
        let failed = |reason: String| Err(DatabaseError::Settings { reason });
        if !self.members.iter().any(|member| member.name == self.host) {
            return failed(format!("{} is none of its hosts; name it among the members", self.host));
        }
        let distinct = |count: usize| count == self.members.len();
        if !distinct(self.members.iter().map(|member| &member.name).collect::<BTreeSet<_>>().len())
            || !distinct(self.members.iter().map(|member| member.address).collect::<BTreeSet<_>>().len())
        {
            return failed("a name or an address is there twice among the members; remove one".to_owned());
        }
        let passwords = [&self.passwords.superuser, &self.passwords.replication, &self.passwords.platform];
        let strong = |text: &str| text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !passwords.into_iter().all(|password| strong(password)) {
            return failed("a password is not 16 or more letters and digits; make another".to_owned());
        }
        let words = self.program.iter().map(String::as_str).chain(self.directory.to_str());
        match words.into_iter().find(|word| !is_plain(word)) {
            Some(word) => {
                failed(format!("{word:?} must not have blanks or signs other than . _ - / in its path"))
            }
            None if self.directory.as_os_str().len() > DIRECTORY_LIMIT => {
                failed(format!("{} is too long for sockets; choose a shorter path", self.directory.display()))
            }
            None => Ok(()),
        }
    }
}

/// Whether a shell, and PostgreSQL's own settings, take the word as it is.
fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
}

/// Where each part listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// PostgreSQL itself.
    pub postgres: u16,
    /// Patroni, which decides who is the primary.
    pub patroni: u16,
    /// etcd, asked by Patroni.
    pub etcd: u16,
    /// etcd, among its members.
    pub etcd_peer: u16,
    /// This role, asked by the other hosts before they found or join anything.
    pub member: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { postgres: 5432, patroni: 8008, etcd: 2379, etcd_peer: 2380, member: 5433 }
    }
}

/// The passwords of the accounts inside the database: letters and digits, the same on every host. No `Debug`.
#[derive(Clone)]
pub struct Passwords {
    /// Of `postgres`, which may do anything, on its own host alone.
    pub superuser: String,
    /// Of `replicator` and `rewinder`, which hosts copy each other with.
    pub replication: String,
    /// Of `deis`, the owner of the platform's database `deis`.
    pub platform: String,
}

/// How many base backups are made and kept, and with each the write-ahead log from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after one base backup the next is made.
    pub every: Duration,
    /// At least this many are kept.
    pub keep: usize,
    /// Those younger than this are kept.
    pub keep_for: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { every: DAY, keep: 2, keep_for: 7 * DAY }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Settings of the first of `members`.
    pub(crate) fn config(members: &str) -> Config {
        let members: Vec<Member> = members.split(',').map(|member| member.parse().unwrap()).collect();
        let password = "0123456789abcdef".to_owned();
        let passwords =
            Passwords { superuser: password.clone(), replication: password.clone(), platform: password };
        let host = members[0].name.clone();
        let store = Arc::new(deis_store::MemoryStore::new());
        let mut config = Config::new("/var/lib/deis-database".into(), &host, members, passwords, store);
        config.program = vec!["/usr/bin/deisd".to_owned()];
        config
    }

    fn check_settings(change: impl FnOnce(&mut Config), expected: Option<&str>) {
        let mut config = config("a=127.0.0.1,b=127.0.0.2");
        change(&mut config);
        let refused = config.check().err().map(|error| error.to_string());
        let part = refused.as_deref().map(|refused| expected.is_some_and(|part| refused.contains(part)));
        assert_eq!(part, expected.map(|_| true), "{refused:?}");
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        check_settings(|_| {}, None);
        check_settings(|config| config.host = "c".into(), Some("c is none of its hosts"));
        check_settings(|config| config.members.push("b=127.0.0.3".parse().unwrap()), Some("twice"));
        check_settings(|config| config.members.push("c=127.0.0.2".parse().unwrap()), Some("twice"));
        check_settings(|config| config.passwords.platform = "it's".into(), Some("letters and digits"));
        check_settings(|config| config.program = vec!["/a b".into()], Some("must not have blanks"));
        check_settings(|config| config.directory = format!("/{}", "a".repeat(90)).into(), Some("too long"));
    }
}
