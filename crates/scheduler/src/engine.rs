//! An engine, opened by its URL: the three ports that the adapter offers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::docker::Docker;
use crate::memory::Memory;
use crate::swarm::Swarm;
use crate::{Cluster, ContainerOutput, Credentials, Images, Scheduler, SchedulerError};

/// Where a Docker Engine listens unless `DOCKER_HOST` or the URL says otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// What an adapter needs to know of the platform that uses it.
#[derive(Clone)]
pub struct Options {
    /// Names this platform on the engine: containers of other platforms are never seen or touched.
    pub platform: String,
    /// The name of the network that apps are attached to; at most 12 characters of it name the bridge. Docker Swarm
    /// attaches apps to the bridge that every engine has; builds take this one there too.
    pub network: String,
    /// The platform's own registry as it appears in image names (`127.0.0.1:5000`), and who to be there.
    pub registry: Option<(String, Credentials)>,
    /// How long a container may take to end after it was asked to, where the engine must know when it makes it and the
    /// workload does not say.
    pub stop_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            platform: "deis".to_owned(),
            network: "deis".to_owned(),
            registry: None,
            stop_grace: Duration::from_secs(10),
        }
    }
}

/// An open engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// Runs workloads.
    pub scheduler: Arc<dyn Scheduler>,
    /// Makes and moves images.
    pub images: Arc<dyn Images>,
    /// Reads what containers print.
    pub output: Arc<dyn ContainerOutput>,
    /// The hosts, where the engine spans several.
    pub cluster: Option<Arc<dyn Cluster>>,
}

impl Engine {
    /// The engine's name and version, asked now: shows whether it answers.
    pub async fn version(&self) -> Result<String, SchedulerError> {
        self.scheduler.version().await
    }

    fn of<A: Scheduler + Images + ContainerOutput + 'static>(adapter: Arc<A>) -> Self {
        Self { scheduler: adapter.clone(), images: adapter.clone(), output: adapter, cluster: None }
    }
}

/// Opens the engine at `url`, which must answer.
///
/// `docker://` is the socket in `DOCKER_HOST` (`unix://…`) or `/var/run/docker.sock`; `docker:///path` that socket;
/// `swarm://` and `swarm:///path` the same sockets of a host that is, or is to be, a manager of a Docker Swarm;
/// `memory://` a fake that lives in this process.
pub async fn open(url: &str, options: Options) -> Result<Engine, SchedulerError> {
    let unknown = || SchedulerError::Url { url: url.to_owned() };
    match url.split_once("://").ok_or_else(unknown)? {
        ("memory", "") => Ok(pretend(&["memory"]).remove(0)),
        ("docker", path) => {
            let socket = socket(path, std::env::var("DOCKER_HOST").ok()).ok_or_else(unknown)?;
            Ok(Engine::of(Arc::new(Docker::connect(socket, options).await?)))
        }
        ("swarm", path) => {
            let socket = socket(path, std::env::var("DOCKER_HOST").ok()).ok_or_else(unknown)?;
            let swarm = Swarm::connect(socket, options).await?;
            let images = swarm.local.clone();
            Ok(Engine { scheduler: swarm.clone(), images, output: swarm.clone(), cluster: Some(swarm) })
        }
        _ => Err(unknown()),
    }
}

/// Fakes as `memory://` for hosts of these names, which can form a cluster with each other.
pub fn pretend(hosts: &[&str]) -> Vec<Engine> {
    let engine = |memory: Memory| {
        let memory = Arc::new(memory);
        Engine { cluster: Some(memory.clone()), ..Engine::of(memory) }
    };
    Memory::hosts_named(hosts).into_iter().map(engine).collect()
}

fn socket(path: &str, docker_host: Option<String>) -> Option<PathBuf> {
    match (path, docker_host.filter(|host| !host.is_empty())) {
        ("", None) => Some(DEFAULT_SOCKET.into()),
        ("", Some(host)) => host.strip_prefix("unix://").map(PathBuf::from),
        (path, _) => path.starts_with('/').then(|| path.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, docker_host: Option<&str>, expected: Option<&str>) {
        assert_eq!(socket(path, docker_host.map(str::to_owned)), expected.map(PathBuf::from), "{path:?}");
    }

    #[test]
    fn the_url_comes_before_docker_host_and_that_before_the_default() {
        check("", None, Some("/var/run/docker.sock"));
        check("", Some(""), Some("/var/run/docker.sock"));
        check("", Some("unix:///run/user/1000/docker.sock"), Some("/run/user/1000/docker.sock"));
        check("/run/podman.sock", Some("unix:///other.sock"), Some("/run/podman.sock"));
        check("", Some("tcp://10.0.0.1:2375"), None);
        check("10.0.0.1:2375", None, None);
    }

    #[tokio::test]
    async fn other_urls_are_refused() {
        for url in ["", "docker", "kubernetes://", "memory://x", "docker://host:1", "swarm://host"] {
            let refused = open(url, Options::default()).await.err().expect("refused");
            assert!(matches!(refused, SchedulerError::Url { .. }), "{url}: {refused}");
        }
    }

    #[tokio::test]
    async fn a_missing_socket_is_told_with_its_cure() {
        let missing = open("docker:///nowhere/docker.sock", Options::default()).await.err().expect("away");
        assert!(missing.to_string().contains("/nowhere/docker.sock does not answer"), "{missing}");
    }
}
