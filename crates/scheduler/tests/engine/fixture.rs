//! An engine to test with, and workloads to run on it.
//!
//! Tests that need an engine read `DEIS_TEST_DOCKER_URL` (`docker://`) and say when they skip.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deis_model::{
    AppId, Command, ContainerName, ContainerStatus, Environment, HealthCheck, Job, Limits, ProcessType,
    ReleaseVersion, Workload, WorkloadId,
};
use deis_scheduler::{Engine, Options, open};

use crate::lab::{Lab, address};

/// Where Debian's busybox-static puts its binary.
const BUSYBOX: &str = "/bin/busybox";

/// Every host has it; its registry answers nobody, and does so at once.
pub(crate) const SWARM_IMAGE: &str = "127.0.0.1:9/busybox:v1";

/// An engine, and names on it that no other test uses.
pub(crate) struct Fixture {
    /// The engine.
    pub(crate) engine: Engine,
    /// An image with a shell.
    pub(crate) image: String,
    /// Whether containers really run.
    pub(crate) real: bool,
    /// The platform as which it was opened.
    pub(crate) platform: String,
    /// The hosts that were made for it, if any.
    pub(crate) _lab: Option<Lab>,
}

impl Fixture {
    /// The fake.
    pub(crate) async fn memory() -> Self {
        let engine = open("memory://", Options::default()).await.expect("the fake always opens");
        Self {
            engine,
            image: "deis-test/busybox".to_owned(),
            real: false,
            platform: "memory".to_owned(),
            _lab: None,
        }
    }

    /// The engine in `DEIS_TEST_DOCKER_URL`; none, and a line that says so, without it.
    pub(crate) async fn docker() -> Option<Self> {
        let Ok(url) = std::env::var("DEIS_TEST_DOCKER_URL") else {
            eprintln!("skipped: DEIS_TEST_DOCKER_URL is not set");
            return None;
        };
        let platform = unique("t");
        let options =
            Options { platform: platform.clone(), network: "deis-test".to_owned(), ..Options::default() };
        let engine = open(&url, options).await.expect("the engine in DEIS_TEST_DOCKER_URL answers");
        let image = "deis-test/busybox:latest".to_owned();
        if engine.images.inspect(&image).await.expect("inspect").is_none() {
            import_busybox(&engine, &image).await;
        }
        Some(Self { engine, image, real: true, platform, _lab: None })
    }

    /// A Swarm of one host of its own; none, and a line that says so, where that is impossible.
    pub(crate) async fn swarm() -> Option<Self> {
        let lab = Lab::start(1)?;
        let platform = unique("t");
        let engine = swarm_of(&lab, 0, &platform).await;
        engine.cluster.as_ref().expect("it spans hosts").init(address(0).into()).await.expect("init");
        Some(Self { engine, image: SWARM_IMAGE.to_owned(), real: true, platform, _lab: Some(lab) })
    }

    /// An app's name that is this fixture's alone.
    pub(crate) fn app(&self, name: &str) -> AppId {
        AppId::parse(&format!("{}-{name}", self.platform)).expect("a valid name")
    }

    /// What the engine calls a container of this platform.
    pub(crate) fn engine_name(&self, name: &ContainerName) -> String {
        format!("{}.{name}", self.platform)
    }

    /// A workload of type `web` that serves its own file system on port 5000.
    pub(crate) fn web(&self, app: &str, release: u32, replicas: u32) -> Workload {
        Workload {
            id: WorkloadId {
                app: self.app(app),
                release: ReleaseVersion::new(release).expect("not 0"),
                process: ProcessType::web(),
            },
            image: self.image.clone(),
            command: words(&["busybox", "httpd", "-f", "-p", "5000", "-h", "/"]),
            environment: Environment([("PORT".to_owned(), "5000".to_owned())].into()),
            limits: Limits::default(),
            tags: BTreeMap::new(),
            replicas,
            port: Some(5000),
            health_check: Some(HealthCheck::default()),
            spread: deis_model::Spread::Replicas,
            host: None,
        }
    }

    /// A job that runs `command` in a shell.
    pub(crate) fn job(&self, app: &str, number: u32, command: &str) -> Job {
        let id = WorkloadId { process: ProcessType::run(), ..self.web(app, 1, 0).id };
        Job {
            name: ContainerName { workload: id, number },
            image: self.image.clone(),
            command: words(&["busybox", "sh", "-c", command]),
            environment: Environment([("GREETING".to_owned(), "hello".to_owned())].into()),
            limits: Limits::default(),
            tags: BTreeMap::new(),
        }
    }

    /// The containers of `app`, as `web.1=up`.
    pub(crate) async fn states(&self, app: &str) -> Vec<String> {
        let seen = self.observe(app).await;
        seen.iter().map(|one| format!("{}={}", one.name.short(), one.state.as_str())).collect()
    }

    /// The containers of `app`.
    pub(crate) async fn observe(&self, app: &str) -> Vec<ContainerStatus> {
        self.engine.scheduler.observe(Some(&self.app(app))).await.expect("observe")
    }

    /// Waits until a container of `app` is as `wanted`, and answers it.
    pub(crate) async fn until(
        &self,
        app: &str,
        wanted: impl Fn(&ContainerStatus) -> bool,
    ) -> ContainerStatus {
        for _ in 0..600 {
            if let Some(found) = self.observe(app).await.into_iter().find(|one| wanted(one)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("no container came to be as wanted: {:?}", self.observe(app).await);
    }

    /// Waits until the containers of `app` are `expected`, as `web.1=up`.
    pub(crate) async fn until_states(&self, app: &str, expected: &[&str]) {
        for _ in 0..600 {
            if self.states(app).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("expected {expected:?}: {:?}", self.observe(app).await);
    }

    /// Waits until `app` has no containers.
    pub(crate) async fn until_gone(&self, app: &str) {
        for _ in 0..600 {
            if self.observe(app).await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("containers stay: {:?}", self.observe(app).await);
    }

    /// Removes all that this fixture made.
    pub(crate) async fn clean(self) {
        for container in self.engine.scheduler.observe(None).await.expect("observe") {
            self.engine.scheduler.remove_container(&container.name, Duration::ZERO).await.expect("remove");
        }
    }
}

/// The engine of a host, with an image to run.
pub(crate) async fn swarm_of(lab: &Lab, host: usize, platform: &str) -> Engine {
    let options = Options { platform: platform.to_owned(), ..Options::default() };
    let engine = open(&lab.url(host), options).await.expect("the engine answers");
    import_busybox(&engine, SWARM_IMAGE).await;
    engine
}

/// A command of these words.
pub(crate) fn words(words: &[&str]) -> Command {
    Command::Words(words.iter().map(|word| (*word).to_owned()).collect())
}

/// A short name, different in each test and run.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A tar archive of these files: path, mode, content.
pub(crate) fn archive(files: &[(&str, u32, &[u8])]) -> Box<Cursor<Vec<u8>>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, *content).expect("append");
    }
    Box::new(Cursor::new(archive.into_inner().expect("finish")))
}

async fn import_busybox(engine: &Engine, image: &str) {
    let busybox = std::fs::read(BUSYBOX).expect("busybox-static is installed");
    let root = archive(&[
        ("bin/busybox", 0o755, &busybox),
        ("bin/sh", 0o755, &busybox),
        ("bin/sleep", 0o755, &busybox),
        ("bin/cat", 0o755, &busybox),
    ]);
    let changes = ["ENV PATH=/bin", "ENV BASE=kept", "CMD [\"sh\"]", "EXPOSE 5000"].map(str::to_owned);
    engine.images.import(image, root, &changes).await.expect("import");
}

/// The engine without the adapter.
pub(crate) async fn raw() -> bollard::Docker {
    let version = bollard::API_DEFAULT_VERSION;
    let client = bollard::Docker::connect_with_unix("/var/run/docker.sock", 60, version).expect("connect");
    client.negotiate_version().await.expect("negotiate")
}
