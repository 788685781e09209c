//! A leading controller without its API: a database in memory, an engine and a publisher that only pretend.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deis_api::client::InternalClient;
use deis_api::internal::{EndpointReport, Leader, PlatformRoutes, ReportedEndpoint, RoutesRequest};
use deis_controller::Vault;
use deis_controller::app::{DeployError, Deploys, Events};
use deis_controller::deployer::Deployer;
use deis_controller::lead::{Seat, Term, TermParts};
use deis_controller::reconcile::DeploySettings;
use deis_controller::routes::{Reports, RouteBook, Routing};
use deis_database::{Database, NewBuild, NewUser};
use deis_model::{
    AppId, ContainerName, ContainerState, ContainerStatus, Formation, Job, ProcessType, Procfile,
    ReleaseVersion, Workload, WorkloadId,
};
use deis_runtime::Shutdown;
use deis_scheduler::{Attachment, Change, Engine, ImageFacts, JobOutcome, Scheduler, SchedulerError};
use futures::stream::BoxStream;
use tokio::sync::{Semaphore, watch};

/// A controller that leads, with a publisher that finds every running container ready.
pub(crate) struct Bench {
    pub(crate) database: Database,
    pub(crate) engine: Engine,
    /// The same on another host, which is not a member of a cluster yet, as little as the first.
    pub(crate) other: Engine,
    pub(crate) book: Arc<RouteBook>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) deployer: Deployer,
    pub(crate) term: Arc<Term>,
    _seat: watch::Sender<Seat>,
    pub(crate) app: AppId,
    shutdown: Shutdown,
    /// The engine has images of the names `slow` and `unavailable` once this has a permit.
    pub(crate) has_pulled: Arc<Semaphore>,
    /// How often the engine was asked what it has.
    pub(crate) looks: Arc<AtomicUsize>,
    /// Whether the next such question ends in a panic.
    pub(crate) breaks: Arc<AtomicBool>,
    /// What the names of the containers begin with that the publisher finds ill.
    pub(crate) ill: Arc<Mutex<Option<&'static str>>>,
    /// How often there was no registry.
    pub(crate) refusals: Arc<AtomicUsize>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An engine that has images of the name `slow` only once it is told to, and until then finds no registry for those of
/// the name `unavailable`.
struct SlowEngine {
    engine: Arc<dyn Scheduler>,
    has_pulled: Arc<Semaphore>,
    looks: Arc<AtomicUsize>,
    breaks: Arc<AtomicBool>,
    refusals: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl Scheduler for SlowEngine {
    async fn prepare(&self, image: &str) -> Result<ImageFacts, SchedulerError> {
        if image == "slow" {
            let _ = self.has_pulled.acquire().await;
        }
        if image == "unavailable" && self.has_pulled.available_permits() == 0 {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            let reason = "connect: connection refused".to_owned();
            return Err(SchedulerError::NoImage { image: image.to_owned(), reason });
        }
        self.engine.prepare(image).await
    }

    async fn apply(&self, workload: &Workload) -> Result<(), SchedulerError> {
        self.engine.apply(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.engine.remove(id, grace).await
    }

    async fn remove_container(&self, name: &ContainerName, grace: Duration) -> Result<(), SchedulerError> {
        self.engine.remove_container(name, grace).await
    }

    async fn observe(&self, app: Option<&AppId>) -> Result<Vec<ContainerStatus>, SchedulerError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        assert!(!self.breaks.swap(false, Ordering::SeqCst), "the engine's adapter has a bug");
        self.engine.observe(app).await
    }

    async fn run(&self, job: &Job, attachment: Attachment) -> Result<JobOutcome, SchedulerError> {
        self.engine.run(job, attachment).await
    }

    async fn sweep_jobs(&self) -> Result<usize, SchedulerError> {
        self.engine.sweep_jobs().await
    }

    async fn version(&self) -> Result<String, SchedulerError> {
        self.engine.version().await
    }

    fn watch(&self) -> BoxStream<'static, Change> {
        self.engine.watch()
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let bench = Self::quiet(Duration::from_secs(20)).await;
        bench.reconcile();
        bench.report();
        bench
    }

    /// Nothing works yet, and nobody reports. What is waited for may take `ready_timeout`.
    pub(crate) async fn quiet(ready_timeout: Duration) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let database = Database::open("sqlite::memory:").await.unwrap();
        let app = AppId::parse("blog").unwrap();
        let user = NewUser {
            username: "ann".to_owned(),
            email: String::new(),
            first_name: String::new(),
            last_name: String::new(),
            password_hash: String::new(),
        };
        database.create_user(user).await.unwrap();
        database.create_app(&app, "ann", "blog.localhost").await.unwrap();
        let [engine, other] = <[Engine; 2]>::try_from(deis_scheduler::pretend(&["one", "two"])).ok().unwrap();
        let shutdown = Shutdown::new();
        let (has_pulled, looks) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (breaks, refusals) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let book = RouteBook::new("epoch".to_owned(), PlatformRoutes::default(), Duration::ZERO);
        let routing = Arc::new(Routing::new(book));
        let (book, reports) = (Arc::clone(&routing.book), Arc::clone(&routing.reports));
        let logger = InternalClient::new("http://127.0.0.1:9", "key");
        let scheduler: Arc<dyn Scheduler> = Arc::new(SlowEngine {
            engine: Arc::clone(&engine.scheduler),
            has_pulled: Arc::clone(&has_pulled),
            looks: Arc::clone(&looks),
            breaks: Arc::clone(&breaks),
            refusals: Arc::clone(&refusals),
        });
        let settings = settings(ready_timeout);
        let parts = TermParts {
            database: database.clone(),
            scheduler: Arc::clone(&scheduler),
            output: Arc::clone(&engine.output),
            events: Events::start(logger, shutdown.clone()),
            settings: settings.clone(),
            routing,
            vault: Vault::open(&"a".repeat(64)).unwrap(),
            leader: Leader::default(),
        };
        let term = Term::new(parts, shutdown.clone());
        let (seat, seats) = watch::channel(Seat::Leading(Arc::clone(&term)));
        let dial = Arc::new(|url: &str| InternalClient::new(url, "key"));
        let deployer = Deployer { database: database.clone(), scheduler, settings, seats, dial };
        let _seat = seat;
        Self {
            database,
            engine,
            other,
            book,
            reports,
            deployer,
            term,
            _seat,
            app,
            shutdown,
            has_pulled,
            looks,
            breaks,
            ill: Arc::default(),
            refusals,
        }
    }

    pub(crate) fn reconcile(&self) {
        self.term.work();
    }

    pub(crate) fn report(&self) {
        let (engine, reports) = (self.engine.clone(), Arc::clone(&self.reports));
        let (term, shutdown, ill) = (Arc::clone(&self.term), self.shutdown.clone(), Arc::clone(&self.ill));
        tokio::spawn(async move {
            while !shutdown.is_cancelled() {
                let mut endpoints = ready(&engine).await;
                let ill = *ill.lock().unwrap();
                for endpoint in &mut endpoints {
                    let name = endpoint.container.to_string();
                    endpoint.ready = ill.is_none_or(|ill| !name.starts_with(ill));
                }
                let report = full_report(endpoints);
                term.wake_all(reports.take("here", report, Instant::now()).unwrap());
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
    }

    pub(crate) async fn push(&self, image: &str) -> Result<ReleaseVersion, DeployError> {
        let version = self.release(image).await;
        self.deployer.await_release(&self.app, version).await.map(|()| version)
    }

    /// Writes the next release.
    pub(crate) async fn release(&self, image: &str) -> ReleaseVersion {
        let build = NewBuild {
            owner: "ann".to_owned(),
            image: image.to_owned(),
            sha: "0123456789".to_owned(),
            procfile: Procfile([(ProcessType::web(), "serve".to_owned())].into()),
            dockerfile: String::new(),
        };
        self.database.release_build(&self.app, build).await.unwrap().release.version
    }

    /// Starts what is deployed without the reconciler.
    pub(crate) async fn start_container(&self) {
        self.engine.scheduler.apply(&self.workload().await).await.unwrap();
    }

    /// What is deployed.
    pub(crate) async fn workload(&self) -> Workload {
        let workloads = deis_model::intent::workloads(
            &self.database.desired(&self.app).await.unwrap().unwrap(),
            &self.database.current(&self.app).await.unwrap().unwrap(),
            &[5000],
        );
        workloads.into_iter().next().unwrap()
    }

    /// Waits until routers are told of exactly these containers.
    pub(crate) async fn routes(&self, expected: &[&str]) {
        let mut changes = self.book.subscribe();
        let routed = async {
            while self.routed() != expected {
                changes.changed().await.unwrap();
            }
        };
        let routed = tokio::time::timeout(Duration::from_secs(60), routed).await;
        assert!(routed.is_ok(), "{expected:?} expected, not {:?}", self.routed());
    }

    pub(crate) async fn names(&self) -> Vec<String> {
        let containers = self.engine.scheduler.observe(Some(&self.app)).await.unwrap();
        containers.iter().map(|container| container.name.to_string()).collect()
    }

    /// Waits until exactly these containers are left.
    pub(crate) async fn settles_on(&self, expected: &[&str]) {
        let settled = async {
            while self.names().await != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let settled = tokio::time::timeout(Duration::from_secs(10), settled).await;
        assert!(settled.is_ok(), "{expected:?} expected, not {:?}", self.names().await);
    }

    /// Waits until routers are answered.
    pub(crate) async fn opens(&self) {
        let mut changes = self.book.subscribe();
        let opened = async {
            while !self.book.is_open() {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), opened).await.expect("the book opens");
    }

    /// Containers that a router is told of.
    pub(crate) fn routed(&self) -> Vec<String> {
        routed(&self.book)
    }

    /// Waits until `holds`; `what` that is.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        for _ in 0..6000 {
            if holds() {
                return;
            }
            self.term.wake(&self.app);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: not within a minute");
    }

    /// Waits until the release has failed, and says why.
    pub(crate) async fn fails(&self, version: ReleaseVersion) -> String {
        let failed = self.deployer.await_release(&self.app, version).await;
        failed.expect_err("it does not fail").to_string()
    }

    pub(crate) async fn scale(&self, web: u32) -> Result<(), DeployError> {
        let formation: Formation = [(ProcessType::web(), web)].into();
        self.deployer.scale(&self.app, formation).await
    }
}

/// Containers that a router is told of by `book`.
pub(crate) fn routed(book: &RouteBook) -> Vec<String> {
    let request = RoutesRequest {
        router: String::new(),
        epoch: String::new(),
        applied: 0,
        drained: 0,
        draining: None,
        hold: false,
    };
    let news = book.news(&request).expect("the book is open");
    let endpoints = news.routes.iter().flat_map(|route| &route.endpoints);
    endpoints.map(|endpoint| endpoint.container.to_string()).collect()
}

fn settings(ready_timeout: Duration) -> DeploySettings {
    DeploySettings {
        domain: "localhost".to_owned(),
        ready_timeout,
        drain_timeout: Duration::from_secs(20),
        stop_grace: Duration::from_secs(1),
        job_timeout: Duration::from_secs(5),
        move_pause: Duration::ZERO,
    }
}

/// What a publisher reports that finds every running container ready.
pub(crate) async fn ready(engine: &Engine) -> Vec<ReportedEndpoint> {
    let containers = engine.scheduler.observe(None).await.unwrap();
    let up = containers.into_iter().filter(|container| container.state == ContainerState::Up);
    up.filter_map(|container| {
        let address = container.address?;
        Some(ReportedEndpoint {
            container: container.name,
            id: container.id,
            address,
            ready: true,
            reason: None,
        })
    })
    .collect()
}

/// A report of these endpoints and no others.
pub(crate) fn full_report(endpoints: Vec<ReportedEndpoint>) -> EndpointReport {
    EndpointReport { lease_seconds: 60, revision: String::new(), endpoints: Some(endpoints) }
}
