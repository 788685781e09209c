//! A term: the time in which this controller leads, and all that it does only then.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deis_api::internal::{DeployAnswer, DeployGoal, EndpointReport, Leader};
use deis_database::{Database, DatabaseError};
use deis_model::{AppId, ContainerState};
use deis_runtime::Shutdown;
use deis_scheduler::{ContainerOutput, Scheduler};
use time::OffsetDateTime;
use tokio_util::sync::WaitForCancellationFuture;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::caretaker::Caretaker;
use crate::Vault;
use crate::app::Events;
use crate::reconcile::{DeploySettings, Parts, Reconciler};
use crate::routes::Routing;
use crate::steady::steadily;

/// How often leases of hosts are looked at.
const LEASE_LOOK: Duration = Duration::from_secs(1);
/// How long the engine may take to say what runs, before the leases are looked at again.
const ENGINE_LOOK: Duration = Duration::from_secs(5);
/// How often it is noted which hosts report.
const NOTE_HOSTS: Duration = Duration::from_secs(300);

/// What a term is served with.
#[derive(Clone)]
pub struct TermParts {
    /// Desired state; refuses to write once the term is over.
    pub database: Database,
    /// Runs containers; refuses to change them once the term is over.
    pub scheduler: Arc<dyn Scheduler>,
    /// Explains why containers ended.
    pub output: Arc<dyn ContainerOutput>,
    /// The apps' own logs.
    pub events: Events,
    /// How deploys behave.
    pub settings: DeploySettings,
    /// Told to routers, heard from publishers.
    pub routing: Arc<Routing>,
    /// Opens what the database keeps sealed.
    pub vault: Vault,
    /// Who leads: this controller, as others call it.
    pub leader: Leader,
}

/// A controller's time as the leader.
pub struct Term {
    parts: TermParts,
    ended: Shutdown,
    tasks: TaskTracker,
    desk: Mutex<Desk>,
}

/// Who minds the apps.
struct Desk {
    worker: Worker,
    /// Ends it.
    relieved: Shutdown,
    tasks: TaskTracker,
}

#[derive(Clone)]
enum Worker {
    Reconciler(Reconciler),
    Caretaker(Caretaker),
}

impl Term {
    /// A term that ends with `ended`, still at rest: [`Term::work`] sets it to work.
    pub fn new(parts: TermParts, ended: Shutdown) -> Arc<Self> {
        let desk = Mutex::new(Desk::reconciling(&parts, &ended));
        Arc::new(Self { parts, ended, tasks: TaskTracker::new(), desk })
    }

    /// Starts to do what only a leader does.
    pub fn work(self: &Arc<Self>) {
        self.start_reconciler();
        let (leases, hosts) = (Arc::clone(self), Arc::clone(self));
        self.spawn(async move { steadily("leases of hosts", || leases.follow_leases()).await });
        self.spawn(async move { steadily("known hosts", || hosts.note_hosts()).await });
    }

    /// Runs `task` until the term is over.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let ended = self.ended.clone();
        self.tasks.spawn(ended.run_until_cancelled_owned(task));
    }

    /// What routers are told and publishers say.
    pub fn routing(&self) -> &Routing {
        &self.parts.routing
    }

    /// This controller, as others call it.
    pub fn leader(&self) -> Leader {
        self.parts.leader.clone()
    }

    /// Has `app` looked at soon.
    pub fn wake(&self, app: &AppId) {
        self.wake_all([app.clone()].into());
    }

    /// Has every one of `apps` looked at soon.
    pub fn wake_all(&self, apps: BTreeSet<AppId>) {
        match self.worker() {
            Worker::Reconciler(reconciler) => reconciler.wake_all(apps),
            Worker::Caretaker(caretaker) => caretaker.wake_all(apps),
        }
    }

    /// Waits for `goal`, at most for `hold`; how it stands then. None once this controller does not lead any more.
    pub async fn answer(&self, app: &AppId, goal: &DeployGoal, hold: Duration) -> Option<DeployAnswer> {
        match self.worker() {
            Worker::Reconciler(reconciler) => reconciler.answer(app, goal, hold).await,
            Worker::Caretaker(_) => None,
        }
    }

    /// Takes what the publisher on `host` reports; false if it is to report everything.
    pub fn take_report(self: &Arc<Self>, host: &str, report: EndpointReport) -> bool {
        let is_new = !self.parts.routing.reports.has_reported(host);
        let Some(changed) = self.parts.routing.reports.take(host, report, Instant::now()) else {
            return false;
        };
        if !changed.is_empty() {
            self.wake_all(changed);
        }
        if is_new {
            let (term, host) = (Arc::clone(self), host.to_owned());
            // Not waited for: a report counts also while the database is away.
            self.spawn(async move { term.note_host(&host).await });
        }
        true
    }

    /// Forgets a host that is gone, with all that it reported.
    pub async fn forget_host(&self, host: &str) -> Result<(), DatabaseError> {
        self.parts.database.forget_host(host).await?;
        self.wake_all(self.parts.routing.reports.forget_host(host));
        Ok(())
    }

    /// Stops everything that changes something, and only keeps routes true to what publishers report.
    pub async fn suspend(&self) {
        let (relieved, tasks) = (self.ended.child_token(), TaskTracker::new());
        let caretaker = Caretaker::new(Arc::clone(&self.parts.routing), Arc::clone(&self.parts.scheduler));
        let (task, end) = (caretaker.clone(), relieved.clone());
        tasks.spawn(async move {
            let _ = end.run_until_cancelled(steadily("caretaker", || task.clone().run())).await;
        });
        self.relieve(Desk { worker: Worker::Caretaker(caretaker), relieved, tasks }).await;
    }

    /// Goes on after [`Term::suspend`].
    pub async fn resume(&self) {
        self.relieve(Desk::reconciling(&self.parts, &self.ended)).await;
        self.start_reconciler();
    }

    /// Whether [`Term::suspend`] is in force.
    pub(crate) fn is_suspended(&self) -> bool {
        matches!(self.worker(), Worker::Caretaker(_))
    }

    /// Ends the term; when it returns, nothing of it is under way any more.
    pub async fn end(&self) {
        self.ended.cancel();
        let tasks = self.lock().tasks.clone();
        tasks.close();
        self.tasks.close();
        tokio::join!(tasks.wait(), self.tasks.wait());
    }

    /// Waits for the end.
    pub(crate) fn ended(&self) -> WaitForCancellationFuture<'_> {
        self.ended.cancelled()
    }

    async fn relieve(&self, next: Desk) {
        let last = std::mem::replace(&mut *self.lock(), next);
        last.relieved.cancel();
        last.tasks.close();
        last.tasks.wait().await;
    }

    fn start_reconciler(&self) {
        let desk = self.lock();
        if let Worker::Reconciler(reconciler) = desk.worker.clone() {
            desk.tasks.spawn(async move { reconciler.run().await });
        }
    }

    fn worker(&self) -> Worker {
        self.lock().worker.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow_leases(&self) {
        loop {
            tokio::time::sleep(LEASE_LOOK).await;
            // First without the engine, which may take its time when it has just lost a host.
            let lapsed = self.parts.routing.reports.lapse(Instant::now());
            if !lapsed.is_empty() {
                info!(apps = lapsed.len(), "prefer endpoints of other hosts: one does not report any more");
                self.wake_all(lapsed);
            }
            if self.parts.routing.reports.has_expired(Instant::now()) {
                self.expire_leases().await;
            }
        }
    }

    /// A passed lease means that the host or its publisher is gone. Containers that the engine itself still vouches for
    /// keep their traffic, as far as there is no other.
    async fn expire_leases(&self) {
        let looked = tokio::time::timeout(ENGINE_LOOK, self.parts.scheduler.observe(None)).await;
        let Ok(Ok(containers)) = looked else { return };
        let up = containers.iter().filter(|container| container.state == ContainerState::Up);
        let running: BTreeSet<&str> = up.map(|container| container.id.as_str()).collect();
        let is_running = |id: &str| running.contains(id);
        let changed = self.parts.routing.reports.expire(Instant::now(), |endpoint| is_running(&endpoint.id));
        if !changed.is_empty() {
            info!(apps = changed.len(), "withdrew endpoints of hosts that do not report any more");
        }
        self.wake_all(changed);
    }

    async fn note_hosts(&self) {
        loop {
            tokio::time::sleep(NOTE_HOSTS).await;
            for host in self.parts.routing.reports.live_hosts(Instant::now()) {
                self.note_host(&host).await;
            }
        }
    }

    async fn note_host(&self, host: &str) {
        if let Err(error) = self.parts.database.touch_host(host, OffsetDateTime::now_utc()).await {
            warn!(host, error = %error, "failed to remember the host");
        }
    }
}

impl Desk {
    fn reconciling(parts: &TermParts, ended: &Shutdown) -> Self {
        let (relieved, tasks) = (ended.child_token(), TaskTracker::new());
        let reconciler = Reconciler::new(Parts {
            database: parts.database.clone(),
            scheduler: Arc::clone(&parts.scheduler),
            output: Arc::clone(&parts.output),
            routing: Arc::clone(&parts.routing),
            vault: parts.vault.clone(),
            events: parts.events.clone(),
            settings: parts.settings.clone(),
            shutdown: relieved.clone(),
            tasks: tasks.clone(),
        });
        Self { worker: Worker::Reconciler(reconciler), relieved, tasks }
    }
}
