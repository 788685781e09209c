//! The reconciler: makes what runs match what is wanted, one app at a time, again and again.
//!
//! A pass reads desired and observed state, plans and executes. It leaves nothing half done that the next pass,
//! in this process or another, would not finish.

mod answer;
mod app_state;
mod beside;
mod calm;
mod deployed;
mod failure;
mod image;
mod moving;
mod next;
mod pass;
mod patience;
mod restart;
mod resync;
mod retire;
mod standing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deis_database::{Database, Mark};
use deis_model::AppId;
use deis_runtime::Shutdown;
use deis_scheduler::{ContainerOutput, Scheduler};
use tokio::sync::{Semaphore, SetOnce};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::Vault;
use crate::app::Events;
use crate::observation::Observation;
use crate::routes::{Certificates, Mesh, Routing};
use crate::steady::steadily;
use app_state::AppState;
use moving::MOVES;
use next::Next;

pub(crate) use answer::ROUTERS_TIMEOUT;
pub(crate) use restart::BATCHES;

/// How soon a pass that could not be finished is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// How many apps are looked at at the same time: enough to keep database and engine busy.
const PASSES: usize = 64;

/// How deploys behave.
#[derive(Clone, Debug)]
pub struct DeploySettings {
    /// The platform's domain: apps are reached at `<app>.<domain>`.
    pub domain: String,
    /// How long a release may take to become ready before it fails.
    pub ready_timeout: Duration,
    /// How long requests under way may take before the container behind them is stopped anyway.
    pub drain_timeout: Duration,
    /// How long a container has between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// How long a one-off command may run.
    pub job_timeout: Duration,
    /// How long an app must be well before one of its containers moves to a better host. The pause grows while moves are
    /// in vain.
    pub move_pause: Duration,
}

/// Deploys, scales, restarts and removes. Cheap to clone.
#[derive(Clone)]
pub struct Reconciler {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    scheduler: Arc<dyn Scheduler>,
    output: Arc<dyn ContainerOutput>,
    routing: Arc<Routing>,
    certificates: Certificates,
    mesh: Mesh,
    events: Events,
    settings: DeploySettings,
    shutdown: Shutdown,
    tasks: TaskTracker,
    turns: Semaphore,
    moves: Arc<Semaphore>,
    /// Set once publishers have said what runs: no pass begins before.
    heard: SetOnce<()>,
    apps: Mutex<HashMap<AppId, Arc<AppState>>>,
}

/// What a reconciler works with.
pub struct Parts {
    /// Desired state.
    pub database: Database,
    /// Runs containers.
    pub scheduler: Arc<dyn Scheduler>,
    /// Explains why containers ended.
    pub output: Arc<dyn ContainerOutput>,
    /// Told to routers, heard from publishers.
    pub routing: Arc<Routing>,
    /// Opens what the database keeps sealed.
    pub vault: Vault,
    /// The apps' own logs.
    pub events: Events,
    /// How deploys behave.
    pub settings: DeploySettings,
    /// Ends all work.
    pub shutdown: Shutdown,
    /// Holds all that is under way.
    pub tasks: TaskTracker,
}

impl Reconciler {
    /// A reconciler at rest: [`Reconciler::run`] sets it to work.
    pub fn new(parts: Parts) -> Self {
        let Parts { database, scheduler, output, routing, vault, events, settings, shutdown, tasks } = parts;
        let mesh = Mesh::new(database.clone(), vault.clone(), Arc::clone(&routing.book));
        let certificates = Certificates::new(database.clone(), vault);
        let (turns, moves) = (Semaphore::new(PASSES), Arc::new(Semaphore::new(MOVES)));
        let (heard, apps) = (SetOnce::new(), Mutex::default());
        Self {
            shared: Arc::new(Shared {
                database,
                scheduler,
                output,
                routing,
                certificates,
                mesh,
                events,
                settings,
                shutdown,
                tasks,
                turns,
                moves,
                heard,
                apps,
            }),
        }
    }

    /// Has every one of `apps` looked at soon.
    pub fn wake_all(&self, apps: BTreeSet<AppId>) {
        apps.iter().for_each(|app| self.wake_app(app));
    }

    /// Has `app` looked at soon: by the task that already works on it, or a new one.
    fn wake_app(&self, app: &AppId) {
        let state = self.state(app);
        if state.note_dirty() {
            self.start_work(app, state);
        }
    }

    /// Has the apps of `marks`, and those that only have containers left, looked at soon with what was `seen` of them, but
    /// for those that are as they were when nothing was left to do.
    fn wake_with(&self, marks: &BTreeMap<AppId, Mark>, mut seen: Observation) {
        let left: Vec<AppId> = seen.apps.keys().filter(|app| !marks.contains_key(*app)).cloned().collect();
        let marked = marks.iter().map(|(app, mark)| (app, Some(mark)));
        for (app, mark) in marked.chain(left.iter().map(|app| (app, None))) {
            let state = self.state(app);
            if state.note_seen(seen.begun, mark, seen.apps.remove(app).unwrap_or_default()) {
                self.start_work(app, state);
            }
        }
    }

    fn start_work(&self, app: &AppId, state: Arc<AppState>) {
        let (reconciler, app) = (self.clone(), app.clone());
        self.spawn(async move { steadily(app.as_str(), || reconciler.work(&app, &state)).await });
    }

    /// Runs `task` until this reconciler ends.
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        self.shared.tasks.spawn(self.shared.shutdown.clone().run_until_cancelled_owned(task))
    }

    fn state(&self, app: &AppId) -> Arc<AppState> {
        let mut apps = self.shared.apps.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(apps.entry(app.clone()).or_default())
    }

    /// Passes over `app` until nothing is left to do.
    async fn work(&self, app: &AppId, state: &AppState) {
        // Before that, a pass would write routes without containers that serve.
        self.shared.heard.wait().await;
        while !self.shared.shutdown.is_cancelled() {
            let next = match self.pass_in_turn(app, state).await {
                Ok(next) => {
                    state.note_outcome(None);
                    next
                }
                Err(error) => {
                    warn!(app = %app, error = %error, "failed to reconcile; trying again");
                    // A release has its time to become ready once it can start at all.
                    state.memory.lock().await.unready_since.clear();
                    state.note_outcome(Some(error.to_string()));
                    Next::after(RETRY)
                }
            };
            if next.is_settled() {
                if state.rest() {
                    return;
                }
                continue;
            }
            self.wait(state, next).await;
        }
    }

    async fn pass_in_turn(&self, app: &AppId, state: &AppState) -> Result<Next, pass::PassError> {
        let _turn = self.shared.turns.acquire().await.expect("nobody closes the semaphore");
        self.pass(app, state).await
    }

    async fn wait(&self, state: &AppState, next: Next) {
        tokio::select! {
            () = state.woken() => {}
            () = tokio::time::sleep(next.delay()) => {}
            () = self.until_drained(state), if next.follows_routes() => {}
            () = self.shared.shutdown.cancelled() => {}
        }
    }
}
