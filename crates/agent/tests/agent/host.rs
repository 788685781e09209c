//! A host with an engine. Tests that need a real one read `DEIS_TEST_DOCKER_URL` (`docker://`) and say when they skip.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use deis_model::{
    AppId, Command, ContainerName, Environment, HealthCheck, Job, Limits, ProcessType, ReleaseVersion,
    Workload, WorkloadId,
};
use deis_scheduler::{Attachment, Engine, Options, open};

/// Where Debian's busybox-static puts its binary.
const BUSYBOX: &str = "/bin/busybox";

const IMAGE: &str = "deis-test/busybox:latest";

/// An engine, and an app on it that is this test's alone.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    app: AppId,
}

impl Host {
    /// With the fake engine.
    pub(crate) async fn memory() -> Self {
        let engine = open("memory://", Options::default()).await.expect("the fake always opens");
        Self { engine, app: AppId::parse("blog").expect("valid") }
    }

    /// With the engine in `DEIS_TEST_DOCKER_URL`; none without it.
    pub(crate) async fn docker() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("DEIS_TEST_DOCKER_URL") else {
            eprintln!("skipped: DEIS_TEST_DOCKER_URL is not set");
            return None;
        };
        let platform = format!("a{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let app = AppId::parse(&platform).expect("valid");
        let options = Options { platform, network: "deis-test".to_owned(), ..Options::default() };
        let engine = open(&url, options).await.expect("the engine in DEIS_TEST_DOCKER_URL answers");
        if engine.images.inspect(IMAGE).await.expect("inspect").is_none() {
            import_busybox(&engine).await;
        }
        Some(Self { engine, app })
    }

    /// A workload that runs `script` in a shell, with port 5000 where visitors reach it.
    pub(crate) fn workload(&self, process: &str, replicas: u32, script: &str) -> Workload {
        let process = ProcessType::parse(process).expect("valid");
        let routable = process == ProcessType::web();
        Workload {
            id: self.id(process),
            image: IMAGE.to_owned(),
            command: shell(script),
            environment: Environment::default(),
            limits: Limits::default(),
            tags: BTreeMap::new(),
            replicas,
            port: routable.then_some(5000),
            health_check: routable.then(HealthCheck::default),
            spread: deis_model::Spread::Replicas,
            host: None,
        }
    }

    fn id(&self, process: ProcessType) -> WorkloadId {
        WorkloadId { app: self.app.clone(), release: ReleaseVersion::new(1).expect("not 0"), process }
    }

    /// Applies `workload`.
    pub(crate) async fn apply(&self, workload: &Workload) {
        self.engine.scheduler.apply(workload).await.expect("apply");
    }

    /// Removes the workload at once.
    pub(crate) async fn remove(&self, workload: &Workload) {
        self.engine.scheduler.remove(&workload.id, Duration::ZERO).await.expect("remove");
    }

    /// Removes all that this test made.
    pub(crate) async fn clean(self) {
        for container in self.engine.scheduler.observe(None).await.expect("observe") {
            self.engine.scheduler.remove_container(&container.name, Duration::ZERO).await.expect("remove");
        }
    }

    /// Runs `script` as job `number` to its end.
    pub(crate) async fn run(&self, number: u32, script: &str) {
        let job = Job {
            name: ContainerName { workload: self.id(ProcessType::run()), number },
            image: IMAGE.to_owned(),
            command: shell(script),
            environment: Environment::default(),
            limits: Limits::default(),
            tags: BTreeMap::new(),
        };
        let (output, _) = tokio::sync::mpsc::channel(1);
        let attachment = Attachment { input: None, output, timeout: Duration::from_secs(30) };
        self.engine.scheduler.run(&job, attachment).await.expect("run");
    }
}

fn shell(script: &str) -> Command {
    Command::Words(["busybox", "sh", "-c", script].map(str::to_owned).into())
}

async fn import_busybox(engine: &Engine) {
    let busybox = std::fs::read(BUSYBOX).expect("busybox-static is installed");
    let mut archive = tar::Builder::new(Vec::new());
    for path in ["bin/busybox", "bin/sh", "bin/sleep"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(busybox.len() as u64);
        archive.append_data(&mut header, path, busybox.as_slice()).expect("append");
    }
    let root = Box::new(Cursor::new(archive.into_inner().expect("finish")));
    let changes = ["ENV PATH=/bin", "ENV BASE=kept", "CMD [\"sh\"]", "EXPOSE 5000"].map(str::to_owned);
    engine.images.import(IMAGE, root, &changes).await.expect("import");
}
