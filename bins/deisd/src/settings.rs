//! Settings, understood.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use deis_model::{Ending, WithinADay};
use deis_postgres::{Member, Ports};
use deis_runtime::Role;

use crate::setting::Resolved;

/// What this process is to do and where.
pub(crate) struct Settings {
    pub(crate) data_dir: PathBuf,
    pub(crate) domain: String,
    /// This machine's name in reports.
    pub(crate) host: String,
    /// One address or several, as of the next ones.
    pub(crate) http: Vec<SocketAddr>,
    /// None: TLS is not spoken.
    pub(crate) https: Vec<SocketAddr>,
    pub(crate) git: Vec<SocketAddr>,
    pub(crate) health: Vec<SocketAddr>,
    pub(crate) controller: SocketAddr,
    pub(crate) registry: SocketAddr,
    pub(crate) logger: SocketAddr,
    pub(crate) builder: SocketAddr,
    /// Where the registry listens; `registry` is its address in names of images.
    pub(crate) registry_listen: SocketAddr,
    /// Every place where a controller may be, and so on.
    pub(crate) controllers: Vec<SocketAddr>,
    pub(crate) registries: Vec<SocketAddr>,
    pub(crate) loggers: Vec<SocketAddr>,
    pub(crate) builders: Vec<SocketAddr>,
    /// Every place where a router may be, as git's connections come from there.
    pub(crate) routers: Vec<SocketAddr>,
    /// What this process proves to other hosts who it is with; none on one machine.
    pub(crate) identity: Option<PathBuf>,
    /// Where operators on other hosts ask how this process is, which takes an identity; none on one machine.
    pub(crate) status: Option<SocketAddr>,
    /// Where the platform's own keys are.
    pub(crate) secrets_dir: PathBuf,
    pub(crate) scheduler: String,
    pub(crate) database: String,
    /// Where the role `database` keeps PostgreSQL's files.
    pub(crate) database_dir: PathBuf,
    /// `host=address` of every host that plays that role.
    pub(crate) database_members: Vec<Member>,
    pub(crate) store: String,
    pub(crate) stack_image: String,
    pub(crate) network: String,
    pub(crate) ready_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    /// How a router ends, and how long this process may take to.
    pub(crate) ending: Ending,
    pub(crate) stop_grace: Duration,
    pub(crate) log_retention_bytes: u64,
    pub(crate) log_retention_bytes_per_app: u64,
}

impl Resolved {
    /// Understands every setting, or names the first that cannot be.
    pub(crate) fn parse(&self) -> anyhow::Result<Settings> {
        let text = |key| self.text(key).to_owned();
        let seconds = |key| self.parse_value(key).map(WithinADay::duration);
        let megabytes = |key| self.parse_value::<u64>(key).map(|number| number.saturating_mul(1 << 20));
        let registry_listen = self.parse_or("registry_listen", "registry")?;
        Ok(Settings {
            data_dir: self.data_dir.clone(),
            domain: text("domain").to_ascii_lowercase(),
            host: Some(text("host")).filter(|name| !name.is_empty()).unwrap_or_else(host_name),
            http: self.list("http")?,
            https: if self.text("https").is_empty() { Vec::new() } else { self.list("https")? },
            git: self.list("git")?,
            health: self.list("health")?,
            controller: self.parse_value("controller")?,
            registry: self.parse_value("registry")?,
            logger: self.parse_value("logger")?,
            builder: self.parse_value("builder")?,
            registry_listen,
            controllers: self.addresses("controllers", "controller")?,
            registries: match self.text("registries") {
                "" => vec![registry_listen],
                _ => self.addresses("registries", "registry")?,
            },
            loggers: self.addresses("loggers", "logger")?,
            builders: self.addresses("builders", "builder")?,
            routers: self.list(if self.text("routers").is_empty() { "http" } else { "routers" })?,
            identity: Some(text("identity")).filter(|path| !path.is_empty()).map(PathBuf::from),
            status: self.parse_unless_empty("status")?,
            secrets_dir: PathBuf::from(text("secrets_dir")),
            scheduler: text("scheduler"),
            database: text("database"),
            database_dir: PathBuf::from(text("database_dir")),
            database_members: self.members()?,
            store: text("store"),
            stack_image: text("stack_image"),
            network: text("network"),
            ready_timeout: seconds("ready_timeout_seconds")?,
            drain_timeout: seconds("drain_timeout_seconds")?,
            ending: Ending {
                notice: self.parse_value("notice_seconds")?,
                drain: self.parse_value("drain_seconds")?,
            },
            stop_grace: seconds("stop_grace_seconds")?,
            log_retention_bytes: megabytes("log_retention_megabytes")?,
            log_retention_bytes_per_app: megabytes("log_retention_megabytes_per_app")?,
        })
    }
}

impl Settings {
    /// Every port of a role that only other roles and operators have business with, on hosts that are known here.
    pub(crate) fn roles(&self) -> BTreeSet<SocketAddr> {
        let lists = [&self.controllers, &self.registries, &self.loggers, &self.builders];
        let listens = lists.into_iter().flatten().copied();
        let roles = || Role::ALL.into_iter().chain([Role::Database]);
        let of_host = |host: IpAddr| roles().map(move |role| SocketAddr::new(host, role.status_port()));
        let tells = listens.clone().map(|address| address.ip()).flat_map(of_host);
        listens.chain(tells).chain(self.database_members.iter().flat_map(ports_of)).collect()
    }
}

/// Where everything that belongs to a member of the database listens.
fn ports_of(member: &Member) -> [SocketAddr; 5] {
    let Ports { postgres, patroni, etcd, etcd_peer, member: own } = Ports::default();
    [postgres, patroni, etcd, etcd_peer, own].map(|port| SocketAddr::new(member.address, port))
}

impl Resolved {
    /// The setting `key`, or while it is empty that of `other`.
    fn parse_or(&self, key: &str, other: &str) -> anyhow::Result<SocketAddr> {
        self.parse_value(if self.text(key).is_empty() { other } else { key })
    }

    /// The setting `key`, or nothing while it is empty.
    fn parse_unless_empty(&self, key: &str) -> anyhow::Result<Option<SocketAddr>> {
        if self.text(key).is_empty() { Ok(None) } else { self.parse_value(key).map(Some) }
    }

    fn members(&self) -> anyhow::Result<Vec<Member>> {
        let members = self.text("database_members").split(',').filter(|member| !member.is_empty());
        let members = members.map(|member| Ok(member.parse()?)).collect::<anyhow::Result<_>>();
        members.context("database_members is refused")
    }

    /// The addresses in `key`, joined by commas, or while it is empty the one of `other`.
    fn addresses(&self, key: &str, other: &str) -> anyhow::Result<Vec<SocketAddr>> {
        match self.text(key) {
            "" => Ok(vec![self.parse_value(other)?]),
            _ => self.list(key),
        }
    }

    /// The addresses in `key`, joined by commas.
    fn list(&self, key: &str) -> anyhow::Result<Vec<SocketAddr>> {
        let parse = |address: &str| {
            let address = address.trim();
            address.parse().map_err(|error| {
                anyhow::anyhow!(
                    "{key} names {address:?}, which is not an address like 10.0.0.1:8000: {error}"
                )
            })
        };
        self.text(key).split(',').map(parse).collect()
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}
