//! What a builder is told at its start.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use deis_api::client::InternalClient;
use deis_model::{AppId, Environment};
use deis_runtime::DataDir;
use deis_runtime::data_dir::DataDirError;
use deis_scheduler::Credentials;
use deis_store::ObjectStore;

/// Everything a builder is told. No `Debug`: it holds secrets.
#[derive(Clone)]
pub struct Config {
    /// Where SSH is served.
    pub listen: SocketAddr,
    /// Who is believed when they name another as the client, as routers do.
    pub routers: Routers,
    /// Bare repositories: `<app's uuid>.git` and `<app's uuid>.lock`.
    pub repositories: PathBuf,
    /// The hook and its socket. The path's length matters: a socket's path has at most 107 bytes.
    pub run: PathBuf,
    /// The SSH host key.
    pub host_key: HostKey,
    /// Where copies of repositories are kept for the builder of another host; none: this one is all there is.
    pub mirror: Option<Arc<dyn ObjectStore>>,
    /// The controllers.
    pub controller: InternalClient,
    /// The platform's own key.
    pub internal_key: String,
    /// The registry as images are named after it: `host:port`.
    pub registry: String,
    /// Who to be at the registry.
    pub registry_credentials: Credentials,
    /// The image that buildpacks run in and that apps built by them run on.
    pub stack_image: String,
    /// Environment of buildpack builds, weaker than the app's config: proxies, package mirrors.
    pub build_environment: Environment,
    /// Branches that are deployed, the most important first.
    pub deploy_branches: Vec<String>,
    /// The port of the router that visitors use, when it is not 80.
    pub router_port: Option<u16>,
    /// The program that runs [`crate::hook::pre_receive`] when called with `hook pre-receive`.
    pub hook_program: PathBuf,
    /// What one user or push may use.
    pub limits: Limits,
}

/// The addresses of routers. This machine's loopback is always among them.
#[derive(Clone, Debug, Default)]
pub struct Routers(pub Vec<IpAddr>);

impl Routers {
    /// Whether one of them may have this address.
    pub(crate) fn are_at(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_loopback() || self.0.iter().any(|router| router.to_canonical() == address)
    }
}

/// Where the SSH host key comes from.
#[derive(Clone, Debug)]
pub enum HostKey {
    /// A file in this directory, made when it is missing.
    Kept(PathBuf),
    /// The internal key: the same on every host that has it, so that clients see no change when the builder moves.
    Derived,
}

/// What one user or push may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once, whoever they are from.
    pub connections: usize,
    /// Of them, how many may be without a user.
    pub unauthenticated: usize,
    /// Sessions at once within one connection.
    pub channels: usize,
    /// How long a connection may take to authenticate.
    pub login_grace: Duration,
    /// How long a connection may stay without a session.
    pub idle: Duration,
    /// How many refused keys end a connection.
    pub auth_attempts: usize,
    /// The largest pack that is taken, in bytes.
    pub push_bytes: u64,
    /// Memory of a buildpack build, in bytes; none is unlimited.
    pub build_memory_bytes: Option<u64>,
    /// How long a session may go without a byte in either direction.
    pub stalled: Duration,
    /// How long a build may take.
    pub build: Duration,
    /// How long a launch may take.
    pub launch: Duration,
    /// How often a pusher who waits is told so.
    pub heartbeat: Duration,
    /// How long pushes under way at shutdown may take to finish before they are refused.
    pub shutdown_grace: Duration,
    /// How many images per app stay on the engine.
    pub kept_images: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            unauthenticated: 32,
            channels: 10,
            login_grace: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            auth_attempts: 10,
            push_bytes: 1024 * 1024 * 1024,
            build_memory_bytes: None,
            stalled: Duration::from_secs(5 * 60),
            build: Duration::from_secs(30 * 60),
            launch: Duration::from_secs(20 * 60),
            heartbeat: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(10),
            kept_images: 5,
        }
    }
}

impl Config {
    /// The settings of one machine: everything below `data`, the controller and the registry on their usual ports.
    pub fn new(data: &DataDir, internal_key: &str, registry: Credentials) -> Result<Self, DataDirError> {
        Ok(Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 2223)),
            routers: Routers::default(),
            repositories: data.directory("repositories")?,
            run: data.directory("run")?,
            host_key: HostKey::Kept(data.directory("secrets")?),
            mirror: None,
            controller: InternalClient::new("http://127.0.0.1:8000", internal_key),
            internal_key: internal_key.to_owned(),
            registry: "127.0.0.1:5000".to_owned(),
            registry_credentials: registry,
            stack_image: "deis/stack:latest".to_owned(),
            build_environment: Environment::default(),
            deploy_branches: vec!["main".to_owned(), "master".to_owned()],
            router_port: None,
            hook_program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("deisd")),
            limits: Limits::default(),
        })
    }

    /// The name of an app's image: `<registry>/<app>:<tag>`.
    pub(crate) fn image(&self, app: &AppId, tag: &str) -> String {
        format!("{}/{app}:{tag}", self.registry)
    }
}

/// The first 8 digits of a commit, as builds name it.
pub(crate) fn short(sha: &str) -> &str {
    sha.get(..8).unwrap_or(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_routers_and_this_machine_are_believed() {
        let routers = Routers(vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]);
        let are_at = |address: &str| routers.are_at(address.parse().unwrap());
        assert!(["127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1"].into_iter().all(are_at));
        assert!(!["10.0.0.2", "fd00::2", "203.0.113.9"].into_iter().any(are_at));
    }
}
